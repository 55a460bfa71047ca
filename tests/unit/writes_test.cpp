// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/repair/writes.h"
#include "tests/unit/power_cut.h"

using namespace gptgrow;

TEST_CASE("A disk that does not hold what was written is reported")
{
  class Lying : public FailingTarget {
  public:
    explicit Lying(Bytes& disk) : FailingTarget(disk, SIZE_MAX, Order::ascending) {}
    void read(std::uint64_t offset, std::span<std::byte> buffer) const override
    {
      FailingTarget::read(offset, buffer);
      buffer[0] ^= std::byte{1};
    }
  };
  Bytes state(4096);
  Lying target(state);
  CHECK_THROWS_WITH(
      write_and_check({{"primary array", 1024, Bytes(512), Bytes(512, std::byte{0x20})}}, target),
      ContainsSubstring(
          "the primary array does not hold what was written: byte 1024 is 0x21, expected 0x20; the disk is failing"));
}
