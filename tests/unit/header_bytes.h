// SPDX-License-Identifier: BSD-3-Clause
// Headers of disk files, made field by field, and the words with which one is refused.
#pragma once

#include "core/error.h"
#include "core/format/header_reader.h"
#include "tests/unit/memory_source.h"

#include <string_view>

using Bytes = std::vector<std::byte>;

template <typename T>
void put_big(Bytes& file, std::size_t at, T value)
{
  boost::endian::endian_store<T, sizeof(T), boost::endian::order::big>(
      reinterpret_cast<unsigned char*>(file.data() + at), value);
}

template <typename T>
void put_little(Bytes& file, std::size_t at, T value)
{
  boost::endian::endian_store<T, sizeof(T), boost::endian::order::little>(
      reinterpret_cast<unsigned char*>(file.data() + at), value);
}

inline void put_text(Bytes& file, std::size_t at, std::string_view text)
{
  std::ranges::copy(std::as_bytes(std::span(text)), file.begin() + static_cast<std::ptrdiff_t>(at));
}

inline constexpr const char* kTaken = "taken";

/// What `check` says of a file that begins with these bytes, and is a hole up to `size_bytes`.
template <typename Check>
std::string said(Check check, Bytes file, std::uint64_t size_bytes = 0)
{
  MemorySource source(std::move(file));
  if (size_bytes != 0)
    source.resize(size_bytes);
  try {
    check(source);
  } catch (const gptgrow::Error& error) {
    return error.what();
  }
  return kTaken;
}

/// Of each length that is less than its own.
template <typename Check>
void check_refused_when_cut(Check check, const Bytes& file, std::size_t step = 1)
{
  for (std::size_t size = 0; size < file.size(); size += step) {
    CAPTURE(size);
    REQUIRE(said(check, {file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)}) != kTaken);
  }
}
