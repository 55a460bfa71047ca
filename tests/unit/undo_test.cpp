// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/repair/undo.h"
#include "core/source/file_source.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/temporary_file.h"

using namespace gptgrow;

TEST_CASE("A byte that neither repair nor what was before explains stops an undo")
{
  const Bytes before(1024, std::byte{1}), after(1024, std::byte{2});
  const Undo undo{4096, 512, {{"primary array", 512, before, after}}};
  Bytes state(4096);
  std::ranges::copy(after, state.begin() + 512);
  CHECK(plan_undo(MemorySource(state), undo).size() == 1);
  state[1024] ^= std::byte{1};
  CHECK_THROWS_WITH(plan_undo(MemorySource(state), undo),
                    ContainsSubstring("primary array: byte 1024 and on hold neither what repair wrote"));
}

TEST_CASE("An undo file keeps every byte, and damage to it is noticed")
{
  const TemporaryFile place;
  const std::string path = place.path() + ".undo";
  const Undo undo{1 << 20, 512, {{"primary header", 512, Bytes(512, std::byte{1}), Bytes(512, std::byte{0xfe})}}};
  save_undo(path, undo);
  const Undo loaded = load_undo(path);
  CHECK(loaded.disk_size_bytes == undo.disk_size_bytes);
  CHECK(loaded.sector_size_bytes == undo.sector_size_bytes);
  REQUIRE(loaded.writes.size() == 1);
  CHECK(loaded.writes[0].what == "primary header");
  CHECK(loaded.writes[0].offset == 512);
  CHECK(loaded.writes[0].before == undo.writes[0].before);
  CHECK(loaded.writes[0].after == undo.writes[0].after);
  CHECK_THROWS_WITH(save_undo(path, undo), ContainsSubstring("exists"));

  const std::uint64_t size = std::filesystem::file_size(path);
  std::string text(size, '\0');
  FileSource(path).read(0, std::as_writable_bytes(std::span(text)));
  std::filesystem::remove(path);
  for (std::size_t i = 0; i < size; i += 7) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    place.resize(size);
    place.write(0, damaged);
    CAPTURE(i);
    CHECK_THROWS_AS(load_undo(place.path()), Error);
    place.resize(i);
    CHECK_THROWS_AS(load_undo(place.path()), Error);
  }
}

TEST_CASE("An undo file whose CRC is right is read strictly all the same")
{
  const auto parsed = [](std::string text) {
    text = "gptgrow undo 1\n" + text;
    text += fmt::format("crc32 0x{:08x}\n", crc32(std::as_bytes(std::span(text))));
    return parse_undo("undo", text);
  };
  const std::string sizes = "disk_size_bytes 1024\nsector_size_bytes 512\n";
  const auto refused = [&](const std::string& text, const std::string& why) {
    CAPTURE(text);
    CHECK_THROWS_WITH(parsed(text), ContainsSubstring(why));
  };
  CHECK(parsed(sizes).writes.empty());
  CHECK(parsed(sizes + "write 1022 MBR\nbefore 0aFf\nafter 0000\n").writes.at(0).before ==
        Bytes{std::byte{0x0a}, std::byte{0xff}});
  CHECK(parsed(sizes + "write 0\nbefore 00\nafter 01\n").writes.at(0).what.empty());
  refused("", "expected \"disk_size_bytes ...\"");
  refused("disk_size_bytes", "expected \"disk_size_bytes ...\"");
  refused("disk_size_bytes\n", "expected \"disk_size_bytes ...\"");
  refused("disk_size_bytesX 1\n", "expected \"disk_size_bytes ...\"");
  refused("sector_size_bytes 512\n", "expected \"disk_size_bytes ...\"");
  for (const char* number : {"", "x", "-1", "12x", "0x10", "9223372036854775808", "99999999999999999999"})
    refused(fmt::format("disk_size_bytes {}\n", number), "expected a number");
  refused(sizes + "writes 0 MBR\n", "expected \"write ...\"");
  refused(sizes + "write 0 MBR\nafter 00\n", "expected \"before ...\"");
  refused(sizes + "write 0 MBR\nbefore 00\n", "expected \"after ...\"");
  refused(sizes + "write 0 MBR2\nbefore 00\nafter 01\n", "expected a name of letters");
  refused(sizes + "write 0 [MBR\nbefore 00\nafter 01\n", "expected a name of letters");
  refused(sizes + "write 0 \x1b\nbefore 00\nafter 01\n", "expected a name of letters");
  refused(sizes + "write 0 MBR\nbefore 0g\nafter 01\n", "expected hex digits");
  refused(sizes + "write 0 MBR\nbefore -1\nafter 01\n", "expected hex digits");
  refused(sizes + "write 0 MBR\nbefore \nafter \n", "0 bytes before, 0 after");
  refused(sizes + "write 0 MBR\nbefore 0000\nafter 00\n", "2 bytes before, 1 after");
  refused(sizes + "write 0 MBR\nbefore 012\nafter 013\n", "3 hex digits");
  refused(sizes + "write 0 MBR\nbefore 00\nafter 0000\n", "1 bytes before, 2 after");
  refused(sizes + "write 18446744073709551615 MBR\nbefore 00\nafter 01\n", "expected a number");
  refused(sizes + "write 4 MBR\nbefore 00\nafter 01\nwrite 3 MBR\nbefore 0000\nafter 0101\n",
          "two writes at bytes 3 and 4");
  refused("disk_size_bytes 4096\nsector_size_bytes 4294967808\n", "expected 512 or 4096");
  refused("disk_size_bytes 4096\nsector_size_bytes 0\n", "expected 512 or 4096");
  refused(sizes + "write 1023 MBR\nbefore 0000\nafter 0001\n", "on a disk of 1024");
  refused(sizes + "write 0 MBR{\nbefore 00\nafter 01\n", "expected a name of letters");
  refused(sizes + "write 0 MBR\nbefore 00\nafter 01\nwrite 0 MBR\nbefore 00\nafter 02\n",
          "expected the second one after the first");
  CHECK(parsed(sizes + "write 0 MBR\nbefore 00\nafter 01\nwrite 0 MBR\nbefore 01\nafter 02\n").writes.size() == 2);
  std::string many = sizes;
  for (int i = 0; i < 64; ++i)
    many += fmt::format("write {} MBR\nbefore 00\nafter 01\n", i);
  CHECK(parsed(many).writes.size() == 64);
  refused(many + "write 64 MBR\nbefore 00\nafter 01\n", "more than 64 writes");
}

TEST_CASE("What had not begun is not undone, and of a disk of another size nothing is")
{
  const Bytes before(512, std::byte{1}), between(512, std::byte{2}), after(512, std::byte{3});
  const Undo undo{
      4096, 512, {{"first", 512, before, between}, {"second", 1024, before, after}, {"third", 512, between, after}}};
  const auto undone = [&](const Bytes& first, const Bytes& second) {
    Bytes state(4096);
    std::ranges::copy(first, state.begin() + 512);
    std::ranges::copy(second, state.begin() + 1024);
    std::string text;
    for (const gptgrow::Write& write : plan_undo(MemorySource(state), undo))
      text += fmt::format("{} to {} ", write.what, std::to_integer<int>(write.after[0]));
    return text;
  };
  CHECK(undone(before, before) == "");
  CHECK(undone(between, before) == "first to 1 ");
  CHECK(undone(between, after) == "second to 1 first to 1 ");
  CHECK(undone(after, after) == "third to 2 second to 1 first to 1 ");
  // What comes next in the same place had not begun either, where only one of two units is there.
  const Bytes before_2(1024, std::byte{1}), between_2(1024, std::byte{2}), after_2(1024, std::byte{3});
  const Undo twice{4096, 4096, {{"first", 512, before_2, between_2}, {"second", 512, between_2, after_2}}};
  Bytes half(4096);
  std::ranges::copy(between, half.begin() + 512);
  std::ranges::copy(before, half.begin() + 1024);
  const std::vector<gptgrow::Write> writes = plan_undo(MemorySource(half), twice);
  REQUIRE(writes.size() == 1);
  CHECK(writes[0].what == "first");
  for (const std::size_t size : {4095U, 4097U})
    CHECK_THROWS_WITH(plan_undo(MemorySource(Bytes(size)), undo),
                      ContainsSubstring(fmt::format("{} bytes, the undo file is of a disk of 4096", size)));
}

TEST_CASE("An undo file that could not be loaded again is not written")
{
  const TemporaryFile place;
  const std::string path = place.path() + ".undo";
  CHECK_THROWS_WITH(save_undo(path, {4096, 513, {}}), ContainsSubstring("sector_size_bytes 513"));
  CHECK_FALSE(std::filesystem::exists(path));
}
