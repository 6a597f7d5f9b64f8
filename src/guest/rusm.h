/**
 * @file
 * What guests call that were made for RUSM 0.7: core modules the import module "rusm", components the interfaces of the package
 * rusm:runtime@0.1.0. Each function is a translation of one of ours (guest/abi.h); what differs from RUSM says
 * docs/rusm.md. Components are served by the same table: the shim's typed_rusm.rs says by which function, those that core
 * modules do not have are in a module of their own, "rusm:runtime".
 *
 * Mail is bytes, one piece at a time: what a monitored process leaves is a JSON text, {"__down":"PID","reason":"crashed"};
 * being asked to stop ends the guest at its next receive; frames of a WebSocket are messages like others.
 */
#pragma once

#include "engine/engine.h"

/** The functions of this layer; those of a connection are in serve/handler_rusm.h. Constant. */
const struct engine_import *rusm_imports(size_t *ret_count);
