# SPDX-License-Identifier: BSD-3-Clause
# Debian packages by the target "package", one of each component. In any folder, a commit makes the same bytes of them.
set(GPTGROW_MAINTAINER "gptgrow maintainers <maintainers@gptgrow.example>" CACHE STRING "Who answers for the packages")
cmake_host_system_information(RESULT debian QUERY DISTRIB_VERSION_ID)

# The one time in them: the caller's, or that of the commit.
set(epoch $ENV{SOURCE_DATE_EPOCH})
if(NOT epoch)
  execute_process(COMMAND git log -1 --format=%ct WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE epoch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(epoch)
  set(ENV{SOURCE_DATE_EPOCH} ${epoch})
endif()
string(TIMESTAMP epoch "%s" UTC)
string(TIMESTAMP GPTGROW_DATE "%Y-%m-%d" UTC)
string(TIMESTAMP changelog_date "%a, %d %b %Y %H:%M:%S +0000" UTC)

# Makes FILE.gz of a file, without its name and time.
function(gptgrow_gzip file output)
  add_custom_command(OUTPUT ${output} DEPENDS ${file} VERBATIM COMMAND sh -c "gzip -9cn \"$1\" >\"$2\"" sh ${file} ${output})
endfunction()

if(GPTGROW_STATIC)
  return()
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_BINARY_DIR}/package_time.cmake)
file(WRITE ${CPACK_PROJECT_CONFIG_FILE} "set(ENV{SOURCE_DATE_EPOCH} ${epoch})\n")
set(CPACK_PACKAGE_CONTACT ${GPTGROW_MAINTAINER})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1~deb${debian})  # that of Debian 13 is the newer one
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENTS_ALL cli fuse nbd-plugin)

set(CPACK_DEBIAN_CLI_PACKAGE_NAME gptgrow)
set(CPACK_DEBIAN_CLI_DESCRIPTION "restore images of GPT disks to disks of another size
Restores a raw image to a disk, with the backup GPT at the disk's end and each
partition entry in its own slot, to the last bit. Inspects, compares, verifies
and repairs partition tables.")
set(CPACK_DEBIAN_CLI_PACKAGE_SUGGESTS qemu-utils)
set(CPACK_DEBIAN_FUSE_PACKAGE_SUGGESTS qemu-utils)
set(CPACK_DEBIAN_NBD-PLUGIN_PACKAGE_SUGGESTS qemu-utils)
set(CPACK_DEBIAN_FUSE_PACKAGE_NAME gptgrow-fuse)
set(CPACK_DEBIAN_FUSE_PACKAGE_DEPENDS fuse3)
set(CPACK_DEBIAN_FUSE_DESCRIPTION "mount an image of a GPT disk as a disk of another size
Shows the disk that gptgrow would restore, its partitions and its layout as
read-only files.")
set(CPACK_DEBIAN_NBD-PLUGIN_PACKAGE_NAME nbdkit-plugin-gptgrow)
set(CPACK_DEBIAN_NBD-PLUGIN_PACKAGE_DEPENDS "nbdkit (>= 1.32)")
set(CPACK_DEBIAN_NBD-PLUGIN_DESCRIPTION "serve an image of a GPT disk as a disk of another size
A plugin of nbdkit. Any tool then copies a disk whose partition table is
already right, and nothing has a reason to write it anew.")

gptgrow_gzip(${PROJECT_SOURCE_DIR}/CHANGELOG.md ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz)
set(changelogs ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} COMPONENT)
  set(package ${CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME})
  set(changelog ${CMAKE_CURRENT_BINARY_DIR}/${package}/changelog.Debian)
  file(CONFIGURE OUTPUT ${changelog} CONTENT
"@package@ (@PROJECT_VERSION@-@CPACK_DEBIAN_PACKAGE_RELEASE@) stable; urgency=medium

  * What changed is in changelog.gz.

 -- @GPTGROW_MAINTAINER@  @changelog_date@
")
  gptgrow_gzip(${changelog} ${changelog}.gz)
  list(APPEND changelogs ${changelog}.gz)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz ${changelog}.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component})
  install(FILES LICENSE RENAME copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component})
endforeach()
add_custom_target(changelogs ALL DEPENDS ${changelogs})

include(CPack)
