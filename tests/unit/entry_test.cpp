// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/entry.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

namespace {

void put_entry(std::span<std::byte> entry, std::uint64_t first_lba, std::u16string_view name)
{
  put_field<std::uint64_t>(entry, 0, 0x4433b9e5ebd0a0a2);  // EBD0A0A2-B9E5-4433-...
  put_field<std::uint64_t>(entry, 32, first_lba);
  put_field<std::uint64_t>(entry, 40, first_lba + 9);
  put_field<std::uint64_t>(entry, 48, 4);
  for (std::size_t i = 0; i < name.size(); ++i)
    put_field<std::uint16_t>(entry, 56 + 2 * i, name[i]);
}

}  // namespace

TEST_CASE("Used entries keep their slots; a slot without a type is unused whatever else it holds")
{
  const std::size_t entry_size = GENERATE(128U, 256U, 512U);
  std::vector<std::byte> array(entry_size * 6);
  put_entry(std::span(array).subspan(entry_size * 1), 64, u"Boot");
  put_entry(std::span(array).subspan(entry_size * 4), 1000, u"");
  put_field<std::uint64_t>(array, entry_size * 2 + 32, 12345);

  const auto entries = used_entries(array, static_cast<std::uint32_t>(entry_size));
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].slot == 2);
  CHECK(entries[0].first_lba == Lba{64});
  CHECK(entries[0].last_lba == Lba{73});
  CHECK(entries[0].attributes == 4);
  CHECK(entries[0].name.view() == u"Boot");
  CHECK(guid_text(entries[0].type_guid).substr(0, 18) == "EBD0A0A2-B9E5-4433");
  CHECK(entries[1].slot == 5);
  CHECK(entries[1].name.empty());
}

TEST_CASE("A name may fill its field, and need not be valid UTF-16")
{
  std::vector<std::byte> array(128);
  const std::u16string name = u"\xd800\x1b[31m" + std::u16string(30, u'x');
  put_entry(array, 64, name);
  CHECK(used_entries(array, 128).at(0).name.view() == name);
}

TEST_CASE("The bytes of an entry are those that lie on the disk")
{
  const auto [first, last, range] = GENERATE(table<std::uint64_t, std::uint64_t, ByteRange>({
      {2, 2, {1024, 512}},
      {0, 15, {0, 8192}},
      {8, 15, {4096, 4096}},
      {8, 16, {4096, 4096}},
      {15, UINT64_MAX, {7680, 512}},
      {16, 20, {}},
      {UINT64_MAX, UINT64_MAX, {}},
      {3, 2, {}},
      {3, 0, {}},
      {UINT64_MAX, 2, {}},
  }));
  CAPTURE(first, last);
  const Entry entry{.first_lba = Lba{first}, .last_lba = Lba{last}, .name = {}};
  CHECK(bytes_of(entry, 512, 8192) == range);
}

TEST_CASE("An array that nobody filled is empty, and the same as another one")
{
  const EntryArray none;
  CHECK(none.size() == 0);
  CHECK(none.begin() == none.end());
  CHECK(none == EntryArray());
  CHECK(none == EntryArray(std::vector<std::byte>()));
  CHECK_FALSE(none == EntryArray(std::vector<std::byte>(1)));
}
