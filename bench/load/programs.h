#pragma once
// The loads of ferry_depth. Each takes the words behind its name, prints one object of JSON and returns the exit code.

#include "arguments.h"

namespace ferry::bench {

/// fill URL --messages N: sends them.
int fill(const Arguments& arguments);
/// touch URL --messages N: receives them, each with a visibility timeout of 0 (FIFO queues: then another group is next).
int touch(const Arguments& arguments);
/// rounds URL... --rounds N --messages N: sends, receives, changes the visibility of and deletes so many, step by step; each
/// queue in its turn.
int rounds(const Arguments& arguments);
/// windows URL... --rounds N --milliseconds N: full cycles; each queue in its turn.
int windows(const Arguments& arguments);
/// probe URL --rate N --seconds N --log FILE: cycles one by one at a constant rate; every request with its time to the file.
int probe(const Arguments& arguments);
/// fair URL: consumers that hold messages for a while, quiet tenants that send now and then; how long theirs waited.
int fair(const Arguments& arguments);
/// reads FOLDER --bytes N --threads N --seconds N: random reads in the folder's segment files.
int reads(const Arguments& arguments);

}  // namespace ferry::bench
