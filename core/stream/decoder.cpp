// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/decoder.h"

#include "core/error.h"
#include "core/gpt/fields.h"

#include <archive.h>
#include <zlib.h>

#include <cerrno>
#include <exception>
#include <new>

namespace gptgrow {

namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

/// Reads through a buffer, and knows how far it came.
class Feed {
public:
  Feed(std::string name, ReadMore read_more) : name_(std::move(name)), read_more_(std::move(read_more)) {}

  const std::string& name() const { return name_; }

  /// How many bytes were given out, in all.
  std::uint64_t offset() const { return offset_; }

  /// The next bytes; empty at the end. They stay until the next call.
  std::span<std::byte> next()
  {
    const std::span<std::byte> buffer(buffer_.get(), kBufferBytes);
    const std::size_t count = read_more_(buffer);
    offset_ += count;
    return buffer.first(count);
  }

  [[noreturn]] void refuse_damaged(Compression compression, std::uint64_t at, std::string_view why) const
  {
    refuse("{}: {} data is damaged or cut off, near its byte {}: {}", name_, name_of(compression), at, why);
  }

  /// Padding is common; anything else is a file that was put together wrongly, or a part that would be lost.
  void expect_only_zeros(Compression compression, std::span<const std::byte> rest)
  {
    for (std::uint64_t at = offset_ - rest.size(); !rest.empty(); at = offset_, rest = next())
      if (!is_zero(rest))
        refuse("{}: goes on behind the end of its {} data, at byte {}, with bytes that are not such data; expected the "
               "end",
               name_, name_of(compression), at);
  }

private:
  std::string name_;
  ReadMore read_more_;
  std::unique_ptr<std::byte[]> buffer_ = std::make_unique_for_overwrite<std::byte[]>(kBufferBytes);
  std::uint64_t offset_ = 0;
};

class Plain : public Decoder {
public:
  explicit Plain(ReadMore read_more) : read_more_(std::move(read_more)) {}

  std::size_t read(std::span<std::byte> buffer) override
  {
    std::size_t total = 0;
    while (total < buffer.size()) {
      const std::size_t count = read_more_(buffer.subspan(total));
      if (count == 0)
        break;
      total += count;
    }
    return total;
  }

private:
  ReadMore read_more_;
};

/// libarchive does not look at the checksums of gzip; zlib does.
class Gzip : public Decoder {
public:
  Gzip(const std::string& name, ReadMore read_more) : feed_(name, std::move(read_more))
  {
    if (::inflateInit2(&stream_, 15 + 16) != Z_OK)
      throw std::bad_alloc();
  }

  ~Gzip() override { ::inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  std::size_t read(std::span<std::byte> buffer) override
  {
    std::size_t total = 0;
    while (total < buffer.size() && !ended_) {
      if (input_.empty())
        input_ = feed_.next();
      if (!in_member_ && !begin_member())
        break;
      total += inflate(buffer.subspan(total));
    }
    return total;
  }

private:
  std::uint64_t place() const { return feed_.offset() - input_.size(); }

  /// Behind a member, another one may follow.
  bool begin_member()
  {
    if (input_.empty() || std::to_integer<int>(input_.front()) != 0x1f) {
      if (members_ == 0)
        feed_.refuse_damaged(Compression::gzip, place(), "it ends");
      feed_.expect_only_zeros(Compression::gzip, input_);
      ended_ = true;
      return false;
    }
    ::inflateReset(&stream_);
    in_member_ = true;
    ++members_;
    return true;
  }

  std::size_t inflate(std::span<std::byte> buffer)
  {
    const bool is_at_end = input_.empty();
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(input_.size());
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(buffer.size());
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    input_ = input_.last(stream_.avail_in);
    if (result == Z_STREAM_END)
      in_member_ = false;
    else if (result == Z_BUF_ERROR && is_at_end)
      feed_.refuse_damaged(Compression::gzip, place(), "it ends");
    else if (result != Z_OK && result != Z_BUF_ERROR)
      feed_.refuse_damaged(Compression::gzip, place(), stream_.msg ? stream_.msg : "it needs a dictionary");
    return buffer.size() - stream_.avail_out;
  }

  Feed feed_;
  z_stream stream_{};
  std::span<std::byte> input_;
  bool in_member_ = false;
  bool ended_ = false;
  std::uint64_t members_ = 0;
};

/// By the filters that are built into libarchive. None runs a program.
class Archive : public Decoder {
public:
  Archive(Compression compression, const std::string& name, ReadMore read_more)
      : compression_(compression), feed_(name, std::move(read_more)), archive_(::archive_read_new())
  {
    if (!archive_)
      throw std::bad_alloc();
    const int supported = [&] {
      switch (compression) {
      case Compression::bzip2: return ::archive_read_support_filter_bzip2(archive_.get());
      case Compression::xz: return ::archive_read_support_filter_xz(archive_.get());
      case Compression::zstd: return ::archive_read_support_filter_zstd(archive_.get());
      default: return ::archive_read_support_filter_lz4(archive_.get());
      }
    }();
    // A warning says that it would run a program.
    if (supported != ARCHIVE_OK)
      refuse("{}: {} data, which this build of libarchive cannot decompress", name, name_of(compression));
    ::archive_read_support_format_raw(archive_.get());
    ::archive_read_support_format_empty(archive_.get());
  }

  std::size_t read(std::span<std::byte> buffer) override
  {
    if (!is_open_)
      open();
    std::size_t total = 0;
    while (total < buffer.size() && !ended_) {
      const la_ssize_t count = ::archive_read_data(archive_.get(), buffer.data() + total, buffer.size() - total);
      check(count);
      if (count == 0)
        end();
      total += static_cast<std::size_t>(count);
    }
    return total;
  }

private:
  struct Free {
    void operator()(struct archive* archive) const { ::archive_read_free(archive); }
  };

  static la_ssize_t give(struct archive* archive, void* self_pointer, const void** bytes) noexcept
  {
    Archive& self = *static_cast<Archive*>(self_pointer);
    try {
      const std::span<std::byte> next = self.feed_.next();
      *bytes = next.data();
      return static_cast<la_ssize_t>(next.size());
    } catch (...) {
      self.thrown_ = std::current_exception();
      ::archive_set_error(archive, EIO, "cannot be read");
      return -1;
    }
  }

  void open()
  {
    is_open_ = true;
    check(::archive_read_open(archive_.get(), this, nullptr, give, nullptr));
    struct archive_entry* entry = nullptr;
    const int result = ::archive_read_next_header(archive_.get(), &entry);
    check(result);
    // It looks for what to decompress by itself, again in what comes out. One of its filters is no decompressor.
    const int layers = ::archive_filter_count(archive_.get()) - 1;
    if (layers < 1)
      feed_.refuse_damaged(compression_, feed_.offset(), "it ends before its first block");
    if (layers > 1)
      refuse("{}: {} data inside {} data; unpack it to a file", feed_.name(), name_of(compression_),
             name_of(compression_));
    if (result == ARCHIVE_EOF)
      end();
  }

  void end()
  {
    ended_ = true;
    const std::uint64_t used = static_cast<std::uint64_t>(::archive_filter_bytes(archive_.get(), -1));
    if (used < feed_.offset())
      refuse(
          "{}: goes on behind the end of its {} data, at byte {}, with bytes that are not such data; expected the end",
          feed_.name(), name_of(compression_), used);
    feed_.expect_only_zeros(compression_, feed_.next());
  }

  void check(la_ssize_t result)
  {
    if (thrown_)
      std::rethrow_exception(thrown_);
    if (result >= 0)
      return;
    const char* const why = ::archive_error_string(archive_.get());
    feed_.refuse_damaged(compression_, static_cast<std::uint64_t>(::archive_filter_bytes(archive_.get(), -1)),
                         why ? why : "libarchive does not say why");
  }

  Compression compression_;
  Feed feed_;
  std::unique_ptr<struct archive, Free> archive_;
  std::exception_ptr thrown_;
  bool is_open_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(Compression compression, const std::string& name, ReadMore read_more)
{
  switch (compression) {
  case Compression::none: return std::make_unique<Plain>(std::move(read_more));
  case Compression::gzip: return std::make_unique<Gzip>(name, std::move(read_more));
  default: return std::make_unique<Archive>(compression, name, std::move(read_more));
  }
}

}  // namespace gptgrow
