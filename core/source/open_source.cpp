// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/open_source.h"

#include "core/source/file_source.h"

namespace gptgrow {

std::shared_ptr<const Source> open_source(const std::string& name)
{
  return std::make_shared<const FileSource>(name);
}

}  // namespace gptgrow
