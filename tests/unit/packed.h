// SPDX-License-Identifier: BSD-3-Clause
// Bytes as a compressor writes them.
#pragma once

#include "core/stream/decoder.h"
#include "tests/unit/catch2.h"

#include <archive.h>
#include <archive_entry.h>

#include <string>
#include <vector>

inline std::vector<std::byte> packed(gptgrow::Compression compression, std::span<const std::byte> bytes)
{
  if (compression == gptgrow::Compression::none)
    return {bytes.begin(), bytes.end()};
  std::vector<std::byte> result(2 * bytes.size() + 4096);
  std::size_t used = 0;
  struct archive* const archive = ::archive_write_new();
  struct archive_entry* const entry = ::archive_entry_new();
  ::archive_entry_set_filetype(entry, AE_IFREG);
  ::archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
  REQUIRE(::archive_write_add_filter_by_name(archive, std::string(name_of(compression)).c_str()) == ARCHIVE_OK);
  REQUIRE(::archive_write_set_format_raw(archive) == ARCHIVE_OK);
  ::archive_write_set_bytes_in_last_block(archive, 1);
  REQUIRE(::archive_write_open_memory(archive, result.data(), result.size(), &used) == ARCHIVE_OK);
  REQUIRE(::archive_write_header(archive, entry) == ARCHIVE_OK);
  REQUIRE(::archive_write_data(archive, bytes.data(), bytes.size()) == static_cast<la_ssize_t>(bytes.size()));
  REQUIRE(::archive_write_close(archive) == ARCHIVE_OK);
  ::archive_entry_free(entry);
  ::archive_write_free(archive);
  result.resize(used);
  return result;
}
