// SPDX-License-Identifier: BSD-3-Clause
// What is connected to, and how.
#pragma once

#include "core/nbd/connection.h"

namespace gptgrow::nbd {

/// To one server.
inline constexpr unsigned kMaxConnections = 4;

class Server {
public:
  virtual ~Server() = default;

  /// For messages.
  virtual const std::string& name() const = 0;

  /// Called before the first connection, and again after stop(). std::system_error, Error.
  virtual void start() {}

  /// Ends what start() began. Called when all connections are gone.
  virtual void stop() {}

  /// How to connect for the `number`th time since start(). Precondition: below kMaxConnections, unless it can come back.
  virtual Connect connect(unsigned number) const = 0;

  /// Whether one that went away may be there again.
  virtual bool can_come_back() const = 0;

  /// What it said about why it does not work; it is not asked for more than once.
  virtual std::string last_words() const { return {}; }
};

}  // namespace gptgrow::nbd
