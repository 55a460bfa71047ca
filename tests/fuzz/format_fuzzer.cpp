// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a file of each disk format: refused with a message, or taken, with no access outside of memory, no endless work and
// no word in what QEMU is given that leads to another file.
//
// Input: a byte that chooses the format, then the file, in pieces.
#include "core/error.h"
#include "core/format/format.h"
#include "core/format/vmdk.h"
#include "core/source/source.h"
#include "tests/fuzz/pieces.h"

#include <cstring>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kMaxFileBytes = 16 << 20;

class PiecesSource : public Source {
public:
  explicit PiecesSource(std::span<const std::byte> input) : pieces_(input, kMaxFileBytes) {}

  const std::string& name() const override { return name_; }
  std::uint64_t size_bytes() const override { return pieces_.size_bytes; }

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    REQUIRE(offset <= size_bytes() && buffer.size() <= size_bytes() - offset);
    pieces_.read(offset, buffer);
  }

private:
  std::string name_ = "image";
  Pieces pieces_;
};

void check_vmdk(const Source& file)
{
  if (!is_vmdk_descriptor(file)) {
    const VmdkExtent extent{2048, true, "file", 0};
    check_vmdk_sparse(file, &extent);
    check_vmdk_sparse(file, nullptr);
    return;
  }
  const std::vector<VmdkExtent> extents = read_vmdk_descriptor(file);
  REQUIRE(!extents.empty());
  std::vector<std::string> names;
  for (const VmdkExtent& extent : extents) {
    REQUIRE(extent.file.find('/') == std::string::npos && extent.file != ".." && extent.sectors != 0);
    names.push_back("/proc/self/fd/10");
  }
  const std::string text = vmdk_descriptor(extents, names);
  REQUIRE(text.find("parentFileNameHint") == std::string::npos && text.find("\n\n") == std::string::npos);
}

void check(const Source& file, unsigned format)
{
  switch (format) {
  case 0: check_qcow2(file); break;
  case 1: check_vdi(file); break;
  case 2: check_vhd(file); break;
  case 3: check_vhdx(file); break;
  default: check_vmdk(file); break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  if (size < 5)
    return -1;
  const PiecesSource file(std::as_bytes(std::span(data + 1, size - 1)));
  (void)format_of(file);
  try {
    check(file, data[0] % 5);
  } catch (const Error& error) {
    REQUIRE(std::strlen(error.what()) > 10);
  }
  return 0;
}
