// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a file of each disk format: refused with a message, or taken, with no access outside of memory, no endless work and
// no word in what QEMU is given that leads to another file.
//
// Input: a byte that chooses the format, 4 bytes of the file's size, and what of it is not zeros: 4 bytes of place, 2 of length, and
// the bytes, again and again.
#include "core/error.h"
#include "core/format/format.h"
#include "core/format/vmdk.h"
#include "core/gpt/fields.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <cstring>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kMaxFileBytes = 16 << 20;

class Pieces : public Source {
public:
  explicit Pieces(std::span<const std::byte> input) : size_bytes_(get_field<std::uint32_t>(input, 0) % kMaxFileBytes)
  {
    for (input = input.subspan(4); input.size() > 6;) {
      const std::size_t length = std::min<std::size_t>(get_field<std::uint16_t>(input, 4), input.size() - 6);
      pieces_.push_back({get_field<std::uint32_t>(input, 0), input.subspan(6, length)});
      input = input.subspan(6 + length);
    }
  }

  const std::string& name() const override { return name_; }
  std::uint64_t size_bytes() const override { return size_bytes_; }

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    REQUIRE(offset <= size_bytes_ && buffer.size() <= size_bytes_ - offset);
    std::ranges::fill(buffer, std::byte{0});
    for (const Piece& piece : pieces_) {
      const std::uint64_t first = std::max(piece.offset, offset);
      const std::uint64_t end = std::min(piece.offset + piece.bytes.size(), offset + buffer.size());
      if (first < end)
        std::memcpy(buffer.data() + (first - offset), piece.bytes.data() + (first - piece.offset), end - first);
    }
  }

private:
  struct Piece {
    std::uint64_t offset;
    std::span<const std::byte> bytes;
  };

  std::string name_ = "image";
  std::uint64_t size_bytes_;
  std::vector<Piece> pieces_;
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
  const Pieces file(std::as_bytes(std::span(data + 1, size - 1)));
  (void)format_of(file);
  try {
    check(file, data[0] % 5);
  } catch (const Error& error) {
    REQUIRE(std::strlen(error.what()) > 10);
  }
  return 0;
}
