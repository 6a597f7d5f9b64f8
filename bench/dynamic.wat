;; What bench/dynamic.c runs: spawns children one after the other, and waits for the end of each.
(module
  (import "mote" "input_get" (func $input_get (param i32 i32) (result i32)))
  (import "mote" "spawn" (func $spawn (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "mote" "spawn_from" (func $spawn_from (param i32 i32 i32 i32 i32 i32 i32 i64 i32) (result i32)))
  (import "mote" "receive" (func $receive (param i32 i32 i32 i32 i64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "dynamic")
  (data (i32.const 32) "\02\00\00\00") ;; spawn_options: monitored
  (func $must (param $held i32)
    (if (i32.eqz (local.get $held)) (then unreachable)))
  (func $down
    (call $must (i32.eqz (call $receive (i32.const 0) (i32.const 128) (i32.const 512) (i32.const 512) (i64.const -1)))))
  (func (export "child"))
  (func (export "registered") (local $left i64)
    (drop (call $input_get (i32.const 1024) (i32.const 8)))
    (local.set $left (i64.load (i32.const 1024)))
    (loop $again
      (call $must (i32.eqz (call $spawn (i32.const 16) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 0))))
      (call $down)
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $again (i64.ne (local.get $left) (i64.const 0)))))
  (func (export "brought") (local $left i64) (local $size i32)
    (local.set $size (i32.sub (call $input_get (i32.const 1024) (i32.const 32768)) (i32.const 8)))
    (local.set $left (i64.load (i32.const 1024)))
    (loop $again
      (call $must (i32.eqz (call $spawn_from (i32.const 16) (i32.const 7) (i32.const 1032) (local.get $size)
        (i32.const 0) (i32.const 0) (i32.const 32) (i64.const -1) (i32.const 0))))
      (call $down)
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $again (i64.ne (local.get $left) (i64.const 0))))))
