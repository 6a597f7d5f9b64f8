;; Guests that send, spawn, are restarted and wait: bench/actors.c says which does what. A mail lies at 128: its kind at 128,
;; size at 132, sender at 136, label at 144, reference at 152, exit class at 160, stream at 168. Its body goes to 288.
(module $actors
  (import "mote" "self" (func $self (result i64)))
  (import "mote" "parent" (func $parent (result i64)))
  (import "mote" "input_get" (func $input_get (param i32 i32) (result i32)))
  (import "mote" "send" (func $send (param i64 i64 i32 i32 i32) (result i32)))
  (import "mote" "receive" (func $receive (param i32 i32 i32 i32 i64) (result i32)))
  (import "mote" "call" (func $call (param i32 i32 i32 i32 i32 i64) (result i32)))
  (import "mote" "reply" (func $reply (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "mote" "monitor" (func $monitor (param i64) (result i64)))
  (import "mote" "exit" (func $exit (param i32 i32)))
  (import "mote" "spawn" (func $spawn (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "mote" "supervisor_start" (func $supervisor_start (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; Where the memory in use ends: `mote build` gives such a guest no more than that (bench/fit.c).
  (global (export "__heap_base") i32 (i32.const 512))
  (data (i32.const 0) "actors#ponger")
  (data (i32.const 16) "actors#child")
  (data (i32.const 32) "actors#servant")
  (data (i32.const 48) "actors#partner")
  (data (i32.const 368) "boom")

  ;; The nop keeps two bytes apart that look like memory.grow, which bench/fit.c would have to believe.
  (func $must (param $held i32)
    (if (i32.eqz (local.get $held)) (then nop unreachable)))
  (func $hear
    (call $must (i32.eqz (call $receive (i32.const 0) (i32.const 128) (i32.const 288) (i32.const 64)
      (i64.const -1)))))
  (func $hear_for_ever
    (loop $again
      (call $hear)
      (br $again)))
  (func $say (param $pid i64) (param $label i64) (param $data i32) (param $size i32)
    (call $must (i32.eqz (call $send (local.get $pid) (local.get $label) (local.get $data)
      (local.get $size) (i32.const 0)))))

  ;; Input: how many round trips, with whom (0: one that it spawns).
  (func (export "pinger")
    (local $left i64) (local $peer i64)
    (call $must (i32.eq (call $input_get (i32.const 64) (i32.const 32)) (i32.const 32)))
    (local.set $left (i64.load (i32.const 64)))
    (if (i64.eqz (i64.load (i32.const 72)))
      (then
        (call $must (i32.eqz (call $spawn (i32.const 0) (i32.const 13) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 72))))))
    (local.set $peer (i64.load (i32.const 72)))
    (loop $again
      (i64.store (i32.const 352) (local.get $left))
      (call $say (local.get $peer) (i64.const 1) (i32.const 352) (i32.const 8))
      (call $hear)
      (call $must (i64.eq (i64.load (i32.const 288)) (local.get $left)))
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $again (i64.ne (local.get $left) (i64.const 0))))
    (call $say (local.get $peer) (i64.const 2) (i32.const 0) (i32.const 0)))

  ;; Sends back what comes under label 1; the end otherwise.
  (func (export "ponger")
    (loop $again
      (call $hear)
      (if (i64.eq (i64.load (i32.const 144)) (i64.const 1))
        (then
          (call $say (i64.load (i32.const 136)) (i64.const 1) (i32.const 288)
            (i32.load (i32.const 132)))
          (br $again)))))

  ;; Input: how many children, one after the other. A down is kind 3, and class 0 a normal exit.
  (func (export "spawner")
    (local $left i64)
    (call $must (i32.eq (call $input_get (i32.const 64) (i32.const 32)) (i32.const 32)))
    (local.set $left (i64.load (i32.const 64)))
    (i32.store (i32.const 208) (i32.const 2))
    (loop $again
      (call $must (i32.eqz (call $spawn (i32.const 16) (i32.const 12) (i32.const 0) (i32.const 0)
        (i32.const 208) (i32.const 192))))
      (call $hear)
      (call $must (i32.eq (i32.load (i32.const 128)) (i32.const 3)))
      (call $must (i32.eqz (i32.load (i32.const 160))))
      (call $must (i64.eq (i64.load (i32.const 152)) (i64.load (i32.const 200))))
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $again (i64.ne (local.get $left) (i64.const 0)))))

  (func (export "child"))

  ;; Input: how many restarts; who is told of each tenth of them; most restarts in a window, its milliseconds;
  ;; how the servant ends: 2: by an exit, 3: by a trap.
  (func (export "keeper")
    (local $total i64) (local $done i64) (local $servant i64)
    (call $must (i32.eq (call $input_get (i32.const 64) (i32.const 32)) (i32.const 32)))
    (local.set $total (i64.load (i32.const 64)))
    (i64.store (i32.const 360) (call $self))
    (i64.store (i32.const 228) (i64.load (i32.const 80)))
    (i32.store (i32.const 248) (i32.const 32))
    (i32.store (i32.const 252) (i32.const 14))
    (i32.store (i32.const 256) (i32.const 360))
    (i32.store (i32.const 260) (i32.const 8))
    (call $must (i32.eqz (call $supervisor_start (i32.const 224) (i32.const 240) (i32.const 1)
      (i32.const 0))))
    (loop $again
      (call $hear)
      (call $must (i32.eqz (i32.load (i32.const 128))))
      (local.set $servant (i64.load (i32.const 136)))
      (i64.store (i32.const 144) (i64.const 1))
      (i32.store (i32.const 168) (i32.const 0))
      (i64.store (i32.const 352) (local.get $done))
      (call $must (i32.eqz (call $call (i32.const 128) (i32.const 352) (i32.const 8) (i32.const 288)
        (i32.const 64) (i64.const -1))))
      (call $must (i64.eq (i64.load (i32.const 288)) (local.get $done)))
      (if (i64.eqz (i64.rem_u (i64.mul (local.get $done) (i64.const 10)) (local.get $total)))
        (then
          (call $say (i64.load (i32.const 72))
            (i64.div_u (i64.mul (local.get $done) (i64.const 10)) (local.get $total))
            (i32.const 0) (i32.const 0))))
      (if (i64.lt_u (local.get $done) (local.get $total))
        (then
          (call $say (local.get $servant) (i64.load (i32.const 88)) (i32.const 0) (i32.const 0))
          (local.set $done (i64.add (local.get $done) (i64.const 1)))
          (br $again)))))

  ;; Says that it is there, answers calls (kind 1), ends abnormally at anything else.
  (func (export "servant")
    (call $must (i32.eq (call $input_get (i32.const 64) (i32.const 8)) (i32.const 8)))
    (call $say (i64.load (i32.const 64)) (i64.const 1) (i32.const 0) (i32.const 0))
    (loop $again
      (call $hear)
      (if (i64.eq (i64.load (i32.const 144)) (i64.const 2))
        (then (call $exit (i32.const 368) (i32.const 4))))
      (call $must (i32.eq (i32.load (i32.const 128)) (i32.const 1)))
      (call $must (i32.eqz (call $reply (i64.load (i32.const 136)) (i64.load (i32.const 152))
        (i64.const 1) (i32.const 288) (i32.load (i32.const 132)) (i32.const 0))))
      (br $again)))

  ;; Two that are linked, watch each other, and wait.
  (func (export "holder")
    (i32.store (i32.const 208) (i32.const 3))
    (call $must (i32.eqz (call $spawn (i32.const 48) (i32.const 14) (i32.const 0) (i32.const 0)
      (i32.const 208) (i32.const 192))))
    (call $hear_for_ever))
  (func (export "partner")
    (call $must (i64.gt_s (call $monitor (call $parent)) (i64.const 0)))
    (call $hear_for_ever)))
