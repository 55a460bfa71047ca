// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/open_source.h"

#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/temporary_file.h"

#include <system_error>

using namespace gptgrow;

namespace {

/// Of no disk that QEMU would read.
constexpr std::string_view kQcow2Magic = "QFI\xfb";

}  // namespace

TEST_CASE("A file is opened in the form of its first bytes, or in the one that is asked for")
{
  const TemporaryFile file;
  file.resize(8192);
  const auto raw = open_source(file.path());
  CHECK(raw->name() == file.path());
  CHECK(raw->size_bytes() == 8192);
  CHECK(raw->file_range({0, 8192}));

  file.write(0, kQcow2Magic);
  CHECK_THROWS_WITH(open_source(file.path()), ContainsSubstring("qcow2"));
  CHECK(open_source(file.path(), DiskFormat::raw)->size_bytes() == 8192);
  CHECK_THROWS_AS(open_source(file.path(), DiskFormat::vdi), Error);
  file.resize(2);
  CHECK(open_source(file.path())->size_bytes() == 2);
}

TEST_CASE("A block device is raw, unless another form is asked for")
{
  const TemporaryFile file;
  file.resize(8192);
  file.write(0, kQcow2Magic);
  const auto loop = LoopDevice::over(file.path());
  if (!loop)
    return;
  CHECK(open_source(loop->path())->size_bytes() == 8192);
  CHECK_THROWS_WITH(open_source(loop->path(), DiskFormat::qcow2), ContainsSubstring("qcow2"));
}

TEST_CASE("A server gives a disk itself, and what is no server is a file")
{
  const std::string uri = "nbd+unix:///?socket=/nonexistent/socket";
  for (const DiskFormat format : {DiskFormat::qcow2, DiskFormat::vhd})
    CHECK_THROWS_WITH(open_source(uri, format),
                      ContainsSubstring("expected none or raw: a server gives the disk itself"));
  CHECK_THROWS_WITH(open_source(uri), ContainsSubstring(uri + ": "));
  CHECK_THROWS_WITH(open_source(uri, DiskFormat::raw), !ContainsSubstring("expected none or raw"));
  CHECK_THROWS_AS(open_source("http://nonexistent/image"), std::system_error);
}
