// SPDX-License-Identifier: BSD-3-Clause
// Bytes as a compressor writes them.
#pragma once

#include "core/source/compression.h"

#include <archive.h>
#include <archive_entry.h>

#include <stdexcept>
#include <string>
#include <vector>

/// The same bytes each time only with a `level`.
inline std::vector<std::byte> packed(gptgrow::Compression compression, std::span<const std::byte> bytes,
                                     const char* level = nullptr)
{
  if (compression == gptgrow::Compression::none)
    return {bytes.begin(), bytes.end()};
  const auto expect = [](bool done) { return done ? void() : throw std::logic_error("cannot pack"); };
  std::vector<std::byte> result(2 * bytes.size() + 4096);
  std::size_t used = 0;
  struct archive* const archive = ::archive_write_new();
  struct archive_entry* const entry = ::archive_entry_new();
  ::archive_entry_set_filetype(entry, AE_IFREG);
  ::archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
  expect(::archive_write_add_filter_by_name(archive, std::string(name_of(compression)).c_str()) == ARCHIVE_OK);
  if (level) {
    ::archive_write_set_filter_option(archive, nullptr, "compression-level", level);
    ::archive_write_set_filter_option(archive, "gzip", "timestamp", nullptr);
  }
  expect(::archive_write_set_format_raw(archive) == ARCHIVE_OK);
  ::archive_write_set_bytes_in_last_block(archive, 1);
  expect(::archive_write_open_memory(archive, result.data(), result.size(), &used) == ARCHIVE_OK);
  expect(::archive_write_header(archive, entry) == ARCHIVE_OK);
  expect(::archive_write_data(archive, bytes.data(), bytes.size()) == static_cast<la_ssize_t>(bytes.size()));
  expect(::archive_write_close(archive) == ARCHIVE_OK);
  ::archive_entry_free(entry);
  ::archive_write_free(archive);
  result.resize(used);
  return result;
}
