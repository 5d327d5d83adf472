#pragma once
// --where: which messages are meant. One condition is [!]FIELD[OPERATOR VALUE]; a message is meant when all of them hold.
//
//   attr:NAME  attr:NAME=VALUE  attr:NAME!=VALUE  attr:NAME~TEXT      a message attribute: is there, is, is not, contains
//   body=TEXT  body!=TEXT  body~TEXT                                  the body
//   body:/POINTER  body:/POINTER=VALUE  … != …  … ~ …                 a place in a JSON body (RFC 6901)
//   age>10m  age<2h                                                   time since it was first sent
//   receives>3  receives<=5  receives=1  …                            how often it was received, looking at it included
//   id=ID  group=GROUP  group  from=QUEUE                             message id, message group, queue it came from

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sqs/api.h"

namespace ferry::cli {

struct Condition {
  enum class Field { Attribute, Body, BodyPointer, Age, Receives, Id, Group, From };
  enum class Operator { Present, Equal, NotEqual, Contains, Less, AtMost, Greater, AtLeast };

  bool negated = false;  ///< "!" before it
  Field field = Field::Body;
  std::string name;  ///< Attribute: its name; BodyPointer: the pointer
  Operator op = Operator::Present;
  std::string value;        ///< as it was written
  Millis age{0};            ///< Age
  std::int64_t number = 0;  ///< Receives
};

/// InvalidArgument: what is wrong with it and what could stand there.
Result<Condition> parse_condition(std::string_view text);

/// `now` is what ages are counted from. An attribute, group or place that is not there equals and contains nothing. A JSON
/// string is compared as text; another JSON value with the value that VALUE is as JSON (5 is 5.0).
bool matches(const Condition& condition, const sqs::Message& message, Timestamp now);
bool matches_all(const std::vector<Condition>& conditions, const sqs::Message& message, Timestamp now);

}  // namespace ferry::cli
