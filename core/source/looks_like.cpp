// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/looks_like.h"

#include "core/source/compression.h"
#include "core/text.h"

#include <blkid/blkid.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include <sys/mman.h>
#include <unistd.h>

namespace gptgrow {

namespace {

constexpr const char* kConvert = "qemu-img convert -O raw makes a raw image of it";
constexpr const char* kExtract = "take the image of the disk out of it";

struct KnownKind {
  std::size_t offset;
  std::string_view magic;
  const char* name;
  const char* advice;
};

using namespace std::string_view_literals;
constexpr std::array kKinds{
    KnownKind{0, "QFI\xfb", "a qcow2 disk", kConvert},
    KnownKind{0, "KDMV", "a VMDK disk", kConvert},
    KnownKind{0, "COWD", "a VMDK disk", kConvert},
    KnownKind{0, "# Disk DescriptorFile", "the descriptor of a VMDK disk", kConvert},
    KnownKind{0, "vhdxfile", "a VHDX disk", kConvert},
    KnownKind{0, "conectix", "a VHD disk", kConvert},
    KnownKind{64, "\x7f\x10\xda\xbe", "a VDI disk", kConvert},
    KnownKind{257, "ustar", "a tar archive", kExtract},
    KnownKind{0, "PK\x03\x04", "a zip archive", kExtract},
    KnownKind{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", kExtract},
    KnownKind{0, "Rar!", "a rar archive", kExtract},
};

struct Encrypted {
  std::string_view type;
  const char* name;
};

constexpr std::array kEncrypted{
    Encrypted{"crypto_LUKS", "LUKS"},
    Encrypted{"BitLocker", "BitLocker"},
    Encrypted{"cs_fvault2", "FileVault"},
};

/// A descriptor that libblkid can read `source` by, and what it has to close.
class Readable {
public:
  explicit Readable(const Source& source, std::span<const std::byte> head)
  {
    if (const auto range = source.file_range({0, source.size_bytes()}); range && range->offset == 0) {
      fd_ = range->fd;
      size_ = source.size_bytes();
      return;
    }
    own_ = fd_ = ::memfd_create("head", MFD_CLOEXEC);
    size_ = fd_ != -1 && ::write(fd_, head.data(), head.size()) == static_cast<ssize_t>(head.size()) ? head.size() : 0;
  }
  ~Readable()
  {
    if (own_ != -1)
      ::close(own_);
  }
  Readable(const Readable&) = delete;

  int fd() const { return fd_; }
  std::uint64_t size() const { return size_; }

private:
  int fd_ = -1, own_ = -1;
  std::uint64_t size_ = 0;
};

struct FreeProbe {
  void operator()(blkid_probe probe) const { ::blkid_free_probe(probe); }
};

/// What libblkid knows: a table of partitions, or what fills the whole.
std::string by_libblkid(const Readable& file)
{
  const std::unique_ptr<std::remove_pointer_t<blkid_probe>, FreeProbe> probe(::blkid_new_probe());
  if (!probe || file.size() == 0 ||
      ::blkid_probe_set_device(probe.get(), file.fd(), 0, static_cast<blkid_loff_t>(file.size())) != 0)
    return "";
  ::blkid_probe_enable_partitions(probe.get(), 1);
  ::blkid_probe_enable_superblocks(probe.get(), 1);
  ::blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
  if (::blkid_do_safeprobe(probe.get()) < 0)
    return "";
  const auto value = [&](const char* name) -> std::string {
    const char* found = nullptr;
    return ::blkid_probe_lookup_value(probe.get(), name, &found, nullptr) == 0 ? escaped(found) : "";
  };
  const std::string type = value("TYPE"), table = value("PTTYPE");
  if (type == "iso9660" || type == "udf")
    return fmt::format("it looks like an image of a CD or DVD ({}), not of a disk with a GPT", type);
  for (const Encrypted& encrypted : kEncrypted)
    if (type == encrypted.type)
      return fmt::format(
          "it looks like an encrypted container ({}): open it first, and take an image of what is inside",
          encrypted.name);
  if (!type.empty())
    return fmt::format("it looks like a single {} {}, as a partition holds it: an image of the whole disk is needed",
                       type, value("USAGE") == "filesystem" ? "file system" : "volume");
  if (table == "dos")
    return "it looks like a disk with an MBR partition table and no GPT: nothing of it has to move with the end of a "
           "disk, "
           "and dd restores its raw image";
  if (!table.empty() && table != "gpt")
    return fmt::format("it looks like a disk with a partition table of type {}, not a GPT", table);
  return "";
}

}  // namespace

std::string looks_like(const Source& source)
{
  const std::vector<std::byte> head = read_bytes(source, clip({0, kRecognizedBytes}, source.size_bytes()));
  if (head.empty())
    return "it is empty";
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const KnownKind& kind : kKinds)
    if (text.size() > kind.offset && text.substr(kind.offset).starts_with(kind.magic))
      return fmt::format("it looks like {}: {}", kind.name, kind.advice);
  if (const Compression compression = compression_of(head); compression != Compression::none)
    return fmt::format("it looks like {} data: restore and verify read it as it is; for all else, unpack it to a file",
                       name_of(compression));
  if (std::string known = by_libblkid(Readable(source, head)); !known.empty())
    return known;
  if (std::ranges::all_of(head, [](std::byte byte) { return byte == std::byte{0}; }))
    return fmt::format("its first {} bytes are zeros", head.size());
  return "";
}

}  // namespace gptgrow
