// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/sysfs.h"

#include <fmt/core.h>

#include <fstream>

#include <sys/sysmacros.h>

namespace gptgrow {

namespace fs = std::filesystem;

std::string line_of(const fs::path& path)
{
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

fs::path sysfs_folder(dev_t device)
{
  const fs::path link = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
  std::error_code error;
  const fs::path folder = fs::canonical(link, error);
  return error ? link : folder;
}

}  // namespace gptgrow
