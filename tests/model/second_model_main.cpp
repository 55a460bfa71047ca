// SPDX-License-Identifier: BSD-3-Clause
// second-model IMAGE: answers questions, a line each on standard input:
//
//   SIZE_BYTES SECTOR_SIZE BACKUP_TABLE KEEP_OLD_BACKUP ALLOW_TRUNCATED EXTEND OFFSET LENGTH [OFFSET LENGTH ...]
//
// by a line each: "refused", or the CRC-32 of those bytes of the served disk.
#include "tests/model/second_model.h"

#include <zlib.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int, char** arguments)
{
  struct stat status {};
  const int fd = ::open(arguments[1], O_RDONLY | O_CLOEXEC);
  if (fd == -1 || ::fstat(fd, &status) == -1) {
    std::perror(arguments[1]);
    return 2;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  const void* const bytes = size == 0 ? "" : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) {
    std::perror(arguments[1]);
    return 2;
  }
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    model::Wish wish;
    fields >> wish.size_bytes >> wish.sector_size_bytes >> wish.backup_table >> wish.keep_old_backup >>
        wish.allow_truncated >> wish.extend;
    const auto served = model::serve({static_cast<const std::uint8_t*>(bytes), size}, wish);
    uLong crc = 0;
    std::uint64_t offset = 0, length = 0;
    while (served && fields >> offset >> length) {
      model::Bytes part(length);
      served->read(offset, part);
      crc = ::crc32(crc, part.data(), static_cast<uInt>(part.size()));
    }
    std::cout << (served ? std::to_string(crc) : "refused") << '\n';
  }
  return 0;
}
