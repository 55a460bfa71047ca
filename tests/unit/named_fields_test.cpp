// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/named_fields.h"
#include "tests/unit/catch2.h"

#include <set>

using namespace gptgrow;

namespace {

void check_covers(const std::vector<NamedField>& fields, std::size_t size_bytes)
{
  std::size_t end = 0;
  for (const NamedField& field : fields) {
    CHECK(field.offset == end);
    CHECK(field.size > 0);
    end = field.offset + field.size;
  }
  CHECK(end == size_bytes);
}

}  // namespace

TEST_CASE("Fields cover their structure wholly, whatever its size")
{
  for (const std::size_t size : {512u, 4096u}) {
    check_covers(mbr_fields(size), size);
    check_covers(header_fields(size), size);
  }
  for (const std::size_t size : {128u, 256u, 4096u})
    check_covers(entry_fields(size), size);
}

TEST_CASE("Values are told in words, and names from a disk cannot do anything to a terminal")
{
  const auto field = [](const std::vector<NamedField>& fields, FieldId id) {
    return *std::ranges::find(fields, id, &NamedField::id);
  };
  std::vector<std::byte> number(8);
  number[0] = std::byte{42};
  CHECK(in_words(field(header_fields(512), FieldId::alternate_lba), number) == "42");
  std::vector<std::byte> name(72);
  name[0] = std::byte{'a'};
  name[2] = std::byte{0x1b};
  const std::string words = in_words(field(entry_fields(128), FieldId::partition_name), name);
  CHECK(words.find('\x1b') == std::string::npos);
  CHECK_THAT(words, ContainsSubstring("a"));
  CHECK(to_hex(std::span(number).first(2)) == "2a00");
}
