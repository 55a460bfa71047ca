// SPDX-License-Identifier: BSD-3-Clause
// The nbdkit plugin: parameters in, core calls, bytes out.
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "core/error.h"
#include "disks.h"
#include "shared_filters.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <new>
#include <optional>
#include <system_error>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace {

using namespace gptgrow;

DiskOptions options;
// Opened before nbdkit forks. All connections share it.
std::optional<Disks> disks;

/// What a connection holds: the disk that it sees.
struct Connection {
  std::shared_ptr<const Disk> disk;
  std::string description;
};

Connection& connection(void* handle)
{
  return *static_cast<Connection*>(handle);
}

std::string description_of(const Disk& disk)
{
  const Table& table = disk.table();
  return message("{} as a disk of {} bytes: {} partitions, {}-byte sectors", options.file, disk.size_bytes(),
                 table.used_entries().size(), table.sector_size_bytes);
}

std::string spell(const Hint& hint)
{
  return hint.value.empty() ? hint.key : hint.key + '=' + hint.value;
}

/// The C edge: runs `call`; what it throws is logged once and becomes errno and -1.
template <typename Call>
int checked_call(Call call) noexcept
{
  int error = EINVAL;
  try {
    call();
    return 0;
  } catch (const std::system_error& e) {
    nbdkit_error("%s", explain(e, spell).c_str());
    error = e.code().value();
  } catch (const std::bad_alloc&) {
    nbdkit_error("out of memory");
    error = ENOMEM;
  } catch (const std::exception& e) {
    nbdkit_error("%s", explain(e, spell).c_str());
  }
  errno = error;
  return -1;
}

/// Called for each parameter, in order.
int gptgrow_config(const char* key, const char* value)
{
  return checked_call([&] {
    if (!options.set(key, value))
      refuse("unknown parameter '{}'; see nbdkit gptgrow --help", key);
  });
}

/// Called after the last parameter.
int gptgrow_config_complete()
{
  return checked_call([] {
    if (options.file.empty())
      refuse("which image? Expected [file=]IMAGE; see nbdkit gptgrow --help");
  });
}

/// Called before nbdkit forks: what is wrong with the image or the size reaches the terminal, and paths are still
/// relative to where the user stands.
int gptgrow_get_ready()
{
  return checked_call([] {
    disks.emplace(options);
    if (const std::string filter = shared_filter(); disks->sized_by_name() && !filter.empty())
      refuse("the {} filter keeps one disk for all clients, but with size=export their disks differ; give one size, or "
             "leave the filter out",
             filter);
    disks->example().share();
    for (const std::string& warning : disks->example().warnings())
      std::fprintf(stderr, "nbdkit: gptgrow: %s\n", message("warning: {}: {}", options.file, warning).c_str());
    disks->example().before_fork();
  });
}

/// Called in the process that serves, by the thread that lives as long as it.
int gptgrow_after_fork()
{
  return checked_call([] { disks->example().after_fork(); });
}

void gptgrow_unload()
{
  disks.reset();
}

void gptgrow_dump_plugin()
{
  std::printf("gptgrow_sector_sizes=512,4096\ngptgrow_largest_size=%" PRIu64 "\n", kMaxDiskSizeBytes);
}

int gptgrow_list_exports(int, int, struct nbdkit_exports* exports)
{
  return checked_call([&] {
    const Disk& disk = disks->example();
    const std::string name = disks->sized_by_name() ? std::to_string(disk.size_bytes()) : std::string();
    const std::string what =
        description_of(disk) + (disks->sized_by_name() ? "; any other size is served by its name" : "");
    if (nbdkit_add_export(exports, name.c_str(), what.c_str()) != 0)
      throw std::system_error(errno, std::generic_category(), "nbdkit_add_export");
  });
}

/// None where the client names the size: no guess is better than its own word.
const char* gptgrow_default_export(int, int)
{
  return disks->sized_by_name() ? nullptr : "";
}

void* gptgrow_open(int)
{
  Connection* opened = nullptr;
  checked_call([&] {
    const char* const name = nbdkit_export_name();
    if (!name)
      throw std::system_error(errno, std::generic_category(), "nbdkit_export_name");
    auto disk = disks->open(name);
    std::string description = description_of(*disk);
    opened = new Connection{std::move(disk), std::move(description)};
  });
  return opened;
}

void gptgrow_close(void* handle)
{
  delete &connection(handle);
}

std::int64_t gptgrow_get_size(void* handle)
{
  return static_cast<std::int64_t>(connection(handle).disk->size_bytes());
}

const char* gptgrow_export_description(void* handle)
{
  return connection(handle).description.c_str();
}

/// Any byte may be asked for; whole sectors and pages are read best.
int gptgrow_block_size(void*, std::uint32_t* minimum, std::uint32_t* preferred, std::uint32_t* maximum)
{
  *minimum = 1;
  *preferred = 4096;
  *maximum = UINT32_MAX;
  return 0;
}

/// All connections see the same bytes, which nobody writes.
int gptgrow_can_multi_conn(void*)
{
  return 1;
}

int gptgrow_can_cache(void*)
{
  return NBDKIT_CACHE_NATIVE;
}

int gptgrow_can_extents(void*)
{
  return 1;
}

int gptgrow_pread(void* handle, void* buffer, std::uint32_t count, std::uint64_t offset, std::uint32_t)
{
  return checked_call([&] { connection(handle).disk->read(offset, {static_cast<std::byte*>(buffer), count}); });
}

int gptgrow_cache(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t)
{
  return checked_call([&] { connection(handle).disk->prefetch({offset, count}); });
}

/// No extent reaches past the request: nbdkit 1.32 aborts on one that does.
int gptgrow_extents(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t flags,
                    struct nbdkit_extents* extents)
{
  return checked_call([&] {
    for (ByteRange rest{offset, count}; rest.size != 0;) {
      const Extent extent = connection(handle).disk->extent(rest);
      if (nbdkit_add_extent(extents, rest.offset, extent.size,
                            extent.hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0))
        throw std::system_error(errno, std::generic_category(), "nbdkit_add_extent");
      rest = {rest.offset + extent.size, rest.size - extent.size};
      if (flags & NBDKIT_FLAG_REQ_ONE)
        break;
    }
  });
}

struct nbdkit_plugin plugin = {
    .name = "gptgrow",
    .longname = "nbdkit gptgrow plugin",
    .version = GPTGROW_VERSION,
    .description = "serve a raw GPT disk image as a disk of any size, its backup GPT in place",
    .unload = gptgrow_unload,
    .config = gptgrow_config,
    .config_complete = gptgrow_config_complete,
    .config_help = "[file=]IMAGE                (required) The disk image: a file, a block device or an NBD URI.\n"
                   "size=SIZE                   Size of the served disk: bytes, or with K, M, G, T, P, E,\n"
                   "                            KB, MB, ..., or s; +SIZE is relative to the image,\n"
                   "                            min the smallest that fits; export: each client\n"
                   "                            names the size of its own disk, in bytes, as the\n"
                   "                            export.\n"
                   "reference=PATH              Serve the size of this file or block device instead.\n"
                   "format=raw|qcow2|vmdk|vhdx|vdi|vhd\n"
                   "                            Of the image's file (default: found from its first bytes).\n"
                   "sector-size=512|4096        Logical sector size (default: found from the image).\n"
                   "table=primary|backup        GPT to serve from (default: primary).\n"
                   "extend=SLOT|last            Make this partition longer, up to the end of the disk.\n"
                   "old-backup=zero|keep        Backup GPT that is left behind (default: zero).\n"
                   "truncated=refuse|allow      Partitions that the image has only a part of (default: refuse).",
    .open = gptgrow_open,
    .close = gptgrow_close,
    .get_size = gptgrow_get_size,
    .errno_is_preserved = 1,
    .dump_plugin = gptgrow_dump_plugin,
    .pread = gptgrow_pread,
    .magic_config_key = "file",
    .can_multi_conn = gptgrow_can_multi_conn,
    .can_extents = gptgrow_can_extents,
    .extents = gptgrow_extents,
    .can_cache = gptgrow_can_cache,
    .cache = gptgrow_cache,
    .get_ready = gptgrow_get_ready,
    .after_fork = gptgrow_after_fork,
    .list_exports = gptgrow_list_exports,
    .default_export = gptgrow_default_export,
    .export_description = gptgrow_export_description,
    .block_size = gptgrow_block_size,
};

}  // namespace

NBDKIT_REGISTER_PLUGIN(plugin)
