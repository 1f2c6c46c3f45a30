// The one way in which a bad file or a bad memory layout is reported.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "sim/arch/one_line.h"

namespace trapline {

/// A file, or a set of files, that cannot be booted as asked. what() is one line: file, cause,
/// hint.
class ImageError : public std::runtime_error {
 public:
  /// `file` is empty where no single file is to blame; `hint` says what to do, or is empty.
  explicit ImageError(std::string file, std::string cause, std::string hint = {})
      : std::runtime_error(one_line((file.empty() ? "" : file + ": ") + cause +
                                    (hint.empty() ? "" : "; " + hint))),
        file_(std::move(file)),
        cause_(std::move(cause)),
        hint_(std::move(hint)) {}

  const std::string& file() const { return file_; }
  const std::string& cause() const { return cause_; }
  const std::string& hint() const { return hint_; }

 private:
  std::string file_;
  std::string cause_;
  std::string hint_;
};

}  // namespace trapline
