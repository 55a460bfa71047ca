// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/unfinished_mark.h"

#include "core/gpt/table_warnings.h"
#include "core/restore/progress_map.h"

#include <algorithm>
#include <cstring>

namespace gptgrow {

namespace {

}  // namespace

std::vector<std::byte> unfinished_mark(std::string_view id)
{
  const std::string text = std::string(kUnfinishedRestore).append(id) + '\n';
  std::vector<std::byte> bytes(kAtomicBytes);
  std::memcpy(bytes.data(), text.data(), std::min(text.size(), bytes.size()));
  return bytes;
}

std::string unfinished_id(std::span<const std::byte> bytes)
{
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kUnfinishedRestore))
    return "";
  const std::string id(text.substr(kUnfinishedRestore.size(), kIdLength));
  const bool is_uuid = id.find_first_not_of("0123456789ABCDEFabcdef-") == std::string::npos;
  return is_uuid && std::ranges::equal(bytes, unfinished_mark(id)) ? id : "";
}

}  // namespace gptgrow
