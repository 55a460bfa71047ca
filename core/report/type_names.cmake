# SPDX-License-Identifier: BSD-3-Clause
# Writes the GPT partition types that SFDISK knows to TYPE_NAMES, as pairs of strings in C++.
set(ENV{LC_ALL} C)
execute_process(COMMAND ${SFDISK} --list-types --label gpt OUTPUT_VARIABLE list COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[0-9A-F]+-[0-9A-F-]+  [^\n]+" lines "${list}")
list(LENGTH lines count)
if(count LESS 100)
  message(FATAL_ERROR "${SFDISK} lists ${count} partition types, expected some 200")
endif()
list(TRANSFORM lines REPLACE "^([0-9A-F-]+)  (.*)$" "{\"\\1\", R\"(\\2)\"},")
list(JOIN lines "\n" text)
file(WRITE ${TYPE_NAMES} "${text}\n")
