// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as what an NBD server says: each byte that is read is the server's, or there is an error; what is called a hole is
// zeros there; nothing hangs. The server here speaks well until the input tells it something else. Where it has lied in a way that
// nobody can see, only crashes and hangs count.
//
// Input: what the export is, what is asked of it, and what the server does about it, as numbers; all zeros is a good server.
#include "core/error.h"
#include "core/gpt/fields.h"
#include "core/nbd/nbd_source.h"
#include "tests/fuzz/fake_nbd_server.h"

#include <cstring>

using namespace gptgrow;

namespace {

constexpr std::size_t kMaxReadBytes = 96 << 10;

/// It says what was the matter.
void check_message(const std::exception& error)
{
  REQUIRE(std::strlen(error.what()) > 10 && !std::strstr(error.what(), ": :"));
}

void check_read(const Source& source, const Content& content, std::uint64_t offset, std::size_t size,
                const std::atomic<bool>& lied)
{
  std::vector<std::byte> found(size, std::byte{0xee}), expected(size);
  source.read(offset, found);
  content.read(offset, expected);
  REQUIRE(lied || std::memcmp(found.data(), expected.data(), size) == 0);
}

void check_extent(const Source& source, const Content& content, ByteRange range, const std::atomic<bool>& lied)
{
  const Extent extent = source.extent(range);
  REQUIRE(extent.size > 0 && extent.size <= range.size);
  if (!extent.hole || lied)
    return;
  std::vector<std::byte> zeros(std::min<std::uint64_t>(extent.size, kMaxReadBytes));
  for (const std::uint64_t offset : {range.offset, range.offset + extent.size - zeros.size()}) {
    content.read(offset, zeros);
    REQUIRE(is_zero(zeros));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  FuzzedDataProvider in(data, size);
  Content content{in.ConsumeIntegralInRange<unsigned>(9, 20)};
  ExportSays says{in.ConsumeIntegral<std::uint32_t>() % (4 << 20)};
  const auto kinds = in.ConsumeIntegral<std::uint8_t>();
  if (kinds & 1)
    says.size_bytes = in.ConsumeIntegral<std::uint64_t>();
  if (kinds & 2)
    says.flags = in.ConsumeIntegral<std::uint16_t>();
  says.tells_blocks = (kinds & 28) != 0;
  if (kinds & 4) {
    says.kept_block = says.min_block = std::uint32_t{1} << (in.ConsumeIntegral<std::uint8_t>() % 17);
    says.preferred_block = std::max(says.preferred_block, says.min_block);
  }
  if (kinds & 8)
    says.max_block = says.preferred_block << (in.ConsumeIntegral<std::uint8_t>() % 8);
  if (kinds & 16) {
    (in.ConsumeBool()   ? says.min_block
     : in.ConsumeBool() ? says.preferred_block
                        : says.max_block) = in.ConsumeIntegral<std::uint32_t>();
    says.kept_block = 1;
  }
  if (kinds & 128)
    says.size_bytes -= says.size_bytes % says.kept_block;
  if (kinds & 32)
    content.zeros_from = in.ConsumeIntegral<std::uint64_t>();
  std::atomic<bool> lied = false, stop = false;
  struct Asked {
    std::uint64_t offset;
    std::size_t size;
    bool for_extent;
  };
  std::vector<Asked> all(in.ConsumeIntegralInRange<std::size_t>(0, 5));
  for (Asked& asked : all)
    asked = {in.ConsumeIntegral<std::uint64_t>(), in.ConsumeIntegralInRange<std::size_t>(1, kMaxReadBytes),
             in.ConsumeBool()};
  try {
    const nbd::NbdSource source(std::make_unique<FakeServer>(in.ConsumeRemainingBytes<std::uint8_t>(), says, content,
                                                             (kinds & 64) != 0, lied, stop));
    source.stop_waiting_when(&stop);
    REQUIRE(lied || source.size_bytes() == says.size_bytes);
    for (const Asked& asked : all) {
      if (source.size_bytes() == 0)
        break;
      const ByteRange range = clip({asked.offset % source.size_bytes(), asked.size}, source.size_bytes());
      try {
        if (asked.for_extent)
          check_extent(source, content, {range.offset, source.size_bytes() - range.offset}, lied);
        else
          check_read(source, content, range.offset, range.size, lied);
      } catch (const std::system_error& error) {
        check_message(error);
      }
    }
  } catch (const Error& error) {
    check_message(error);
  } catch (const std::system_error& error) {
    check_message(error);
  }
  return 0;
}
