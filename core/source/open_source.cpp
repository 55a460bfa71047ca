// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/open_source.h"

#include "core/nbd/nbd_source.h"
#include "core/nbd/uri.h"
#include "core/source/file_source.h"

namespace gptgrow {

std::shared_ptr<const Source> open_source(const std::string& name)
{
  if (nbd::is_uri(name))
    return std::make_shared<const nbd::NbdSource>(nbd::server_at(name));
  return std::make_shared<const FileSource>(name);
}

}  // namespace gptgrow
