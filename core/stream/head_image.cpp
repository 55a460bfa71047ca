// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/head_image.h"

#include "core/error.h"
#include "core/gpt/table.h"
#include "core/gpt/table_warnings.h"
#include "core/source/looks_like.h"

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::uint64_t kMaxHeadBytes = 2 * kMaxArraySizeBytes;

/// Copies what `bytes`, which begin at `at`, have of `buffer`, which begins at `offset`.
void copy_part(std::span<const std::byte> bytes, std::uint64_t at, std::uint64_t offset, std::span<std::byte> buffer)
{
  const std::uint64_t first = std::max(at, offset);
  const std::uint64_t end = std::min(at + bytes.size(), offset + buffer.size());
  if (first < end)
    std::ranges::copy(bytes.subspan(first - at, end - first),
                      buffer.begin() + static_cast<std::ptrdiff_t>(first - offset));
}

}  // namespace

HeadImage::HeadImage(const Input& input, Compression compression, const ReadNext& read_next,
                     std::optional<std::uint32_t> sector_size_bytes)
    : name_(input.name()), compression_(compression), file_(input.file()), stored_in_(input.stored_in())
{
  find_table(read_next, sector_size_bytes);
  const std::uint32_t sector = primary_->sector_size_bytes();
  const std::uint64_t array_end = bytes_of(primary_->partition_entry_lba(), primary_->array_sectors(), sector).end();
  const auto array = std::span(head_).subspan(bytes_of(primary_->partition_entry_lba(), 1, sector).offset);
  std::uint64_t last = std::max(primary_->alternate_lba().value, array_end / sector);
  for (const Entry& entry : used_entries(array.first(primary_->array_size_bytes()), primary_->entry_size_bytes()))
    last = std::max(last, std::min(entry.last_lba, max_lba(sector)).value);
  size_bytes_ = (last + 1) * sector;
  if (last == primary_->alternate_lba().value && last > primary_->array_sectors() + array_end / sector) {
    Header backup = *primary_;
    backup.set_my_lba(Lba{last});
    backup.set_alternate_lba(kPrimaryLba);
    backup.set_partition_entry_lba(Lba{last - primary_->array_sectors()});
    backup.seal();
    // It may end inside the last sector of its array.
    const std::uint64_t size = primary_->array_sectors() * sector;
    const auto sectors = array.first(std::min<std::uint64_t>(array.size(), size));
    tail_.assign(sectors.begin(), sectors.end());
    tail_.resize(size);
    tail_.insert(tail_.end(), backup.sector().begin(), backup.sector().end());
  }
}

/// What is wrong with the primary table for sectors of this size; nothing: it is taken.
std::optional<Problem> HeadImage::try_table(const ReadNext& read_next, std::uint32_t sector_size_bytes)
{
  const Header header({head_.begin() + sector_size_bytes, head_.begin() + 2 * sector_size_bytes});
  if (problems(header, kPrimaryLba).empty()) {
    const ByteRange array = bytes_of(header.partition_entry_lba(), header.array_sectors(), sector_size_bytes);
    if (array.end() > kMaxHeadBytes)
      return Problem{"primary array: end at byte", fmt::format("{}", array.end()),
                     fmt::format("at most {} in what is read once; unpack it to a file", kMaxHeadBytes)};
    (void)read_until(array.end(), read_next);
  }
  FoundTable table = read_table(*this, sector_size_bytes, kPrimaryLba);
  if (!table.valid())
    return table.problems.front();
  primary_ = std::move(table.header);
  return std::nullopt;
}

/// Takes the sector size for which there is a valid table.
void HeadImage::find_table(const ReadNext& read_next, std::optional<std::uint32_t> sector_size_bytes)
{
  std::optional<Problem> first_problem;
  for (const std::uint32_t size : {512U, 4096U}) {
    if ((sector_size_bytes && *sector_size_bytes != size) || !read_until(2 * size, read_next))
      continue;
    const std::optional<Problem> problem = try_table(read_next, size);
    if (!problem)
      return;
    if (!first_problem || problem->field != "signature")
      first_problem = problem;
  }
  if (!first_problem || first_problem->field == "signature") {
    (void)read_until(kRecognizedBytes, read_next);
    std::string known = looks_like(*this);
    if (!known.empty() && compression_ != Compression::none)
      known = fmt::format("unpacked (it is {} data), {}", name_of(compression_), known);
    if (!first_problem)
      refuse("{}: no GPT: {} bytes long, too short for an MBR and a header{}{}", name_, head_.size(),
             known.empty() ? "" : "; ", known);
    if (!known.empty())
      refuse("{}: no GPT: {}; {}", name_, describe(*first_problem), known);
  }
  refuse(
      "{}: no valid primary GPT: {}; what is read once must have one; a file that is unpacked may be served from its "
      "backup",
      name_, describe(*first_problem));
}

/// False: it ends before.
bool HeadImage::read_until(std::uint64_t size, const ReadNext& read_next)
{
  const std::size_t had = head_.size();
  if (had < size) {
    head_.resize(size);
    head_.resize(had + read_next(std::span(head_).subspan(had)));
    size_bytes_ = head_.size();
  }
  return head_.size() >= size;
}

void HeadImage::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
  std::ranges::fill(buffer, std::byte{0});
  copy_part(head_, 0, offset, buffer);
  copy_part(tail_, size_bytes_ - tail_.size(), offset, buffer);
}

Extent HeadImage::extent(ByteRange range) const
{
  const std::uint64_t tail = size_bytes_ - tail_.size();
  if (range.offset < head_.size())
    return {std::min<std::uint64_t>(range.end(), head_.size()) - range.offset, false};
  if (range.offset < tail)
    return {std::min(range.end(), tail) - range.offset, true};
  return {range.size, false};
}

std::string HeadImage::version() const
{
  // A device that holds a compressed file, or a pipe, tells nothing.
  const std::string version = file_ ? file_->version() : "";
  return version.empty() ? "read once" : version;
}

}  // namespace gptgrow
