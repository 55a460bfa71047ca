// SPDX-License-Identifier: BSD-3-Clause
#include "shared_filters.h"

#include <link.h>

#include <array>
#include <string_view>

namespace gptgrow {

namespace {

constexpr std::array<std::string_view, 3> kShared{"cow", "cache", "cacheextents"};

int look(dl_phdr_info* object, std::size_t, void* result)
{
  std::string_view file = object->dlpi_name;
  file.remove_prefix(file.rfind('/') + 1);
  for (const std::string_view name : kShared)
    if (file == "nbdkit-" + std::string(name) + "-filter.so")
      *static_cast<std::string*>(result) = name;
  return 0;
}

}  // namespace

std::string shared_filter()
{
  // nbdkit tells a plugin nothing of its filters, but it has loaded them.
  std::string found;
  dl_iterate_phdr(look, &found);
  return found;
}

}  // namespace gptgrow
