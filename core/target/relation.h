// SPDX-License-Identifier: BSD-3-Clause
// Whether an image and a target are made of the same bytes, or one lies on the other.
#pragma once

#include "core/source/source.h"

#include <string>
#include <vector>

namespace gptgrow {

struct Relation {
  enum class Kind {
    none,
    same,             // or one is made of the other
    image_on_target,  // in a file system there, at any depth
    target_on_image,
  };
  Kind kind = Kind::none;
  std::vector<std::string> unseen;  // why that might not be all, a sentence each
};

/// `target` may name a file that is still to be made.
Relation relation_of(const Source& image, const std::string& target);

}  // namespace gptgrow
