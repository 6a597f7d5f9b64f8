/**
 * @file
 * The machine as a manifest sees it: environment, `.env`, file system.
 */
#pragma once

#include "manifest/dotenv.h"
#include "manifest/manifest.h"

/** The real one. `dotenv` (borrowed) answers for variables that the environment does not have. */
struct manifest_world world_real(struct dotenv *dotenv);
