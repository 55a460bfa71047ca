// SPDX-License-Identifier: BSD-3-Clause
#include "cli/contents_words.h"

#include "core/report/text_style.h"
#include "core/text.h"

#include <fmt/format.h>

namespace gptgrow {

std::string in_quotes(const std::string& label)
{
  return label.empty() ? "" : " \"" + escaped(label) + '"';
}

std::string summary(const Contents& contents)
{
  if (!contents.type.empty())
    return contents.type;
  if (contents.table_type.empty())
    return "";
  return contents.partitions.empty() ? fmt::format("an empty {} table", contents.table_type)
                                     : contents.table_type + " partitions";
}

std::string line_of(const PresentPartition& partition)
{
  return fmt::format("  {:>4}  {:>6}  {}{}\n", partition.number, short_size(partition.range.size),
                     partition.type.empty() ? "?" : partition.type, in_quotes(partition.label));
}

}  // namespace gptgrow
