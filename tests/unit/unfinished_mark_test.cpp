// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/unfinished_mark.h"
#include "core/target/target.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

namespace {

constexpr std::string_view kId = "0B2F5A1C-1111-4222-8333-444455556666";

}  // namespace

TEST_CASE("A mark is one sector that can be read by people, and tells its restore")
{
  const std::vector<std::byte> mark = unfinished_mark(kId);
  CHECK(mark.size() == kAtomicBytes);
  CHECK(unfinished_id(mark) == kId);
  const std::string text(reinterpret_cast<const char*>(mark.data()), mark.size());
  CHECK_THAT(text, ContainsSubstring("unfinished restore by gptgrow"));
}

TEST_CASE("Other bytes are no mark, and a hostile id is none")
{
  CHECK(unfinished_id(std::vector<std::byte>(512)).empty());
  std::vector<std::byte> mark = unfinished_mark(kId);
  mark[0] ^= std::byte{1};
  CHECK(unfinished_id(mark).empty());
  mark = unfinished_mark(kId);
  mark.back() = std::byte{1};
  CHECK(unfinished_id(mark).empty());
  CHECK(unfinished_id(unfinished_mark("\x1b[31m-1111-4222-8333-444455556666")).empty());
}
