#pragma once
/// @file
/// Everything of the library: client, sender, worker.

#include "ferry/client.h"
#include "ferry/connection.h"
#include "ferry/expected.h"
#include "ferry/handler.h"
#include "ferry/message.h"
#include "ferry/sender.h"
#include "ferry/worker.h"
