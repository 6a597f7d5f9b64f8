;; A WASI guest by hand: memory 0..: iovec, 64: results, 128: texts.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "host" "note" (func $note (param i64)))
  (memory (export "memory") 2)
  (data (i32.const 128) "hello from a guest\n")
  (data (i32.const 192) "note.txt")
  (data (i32.const 256) "kept")

  (func $say (param $fd i32) (param $at i32) (param $size i32) (result i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 64)))
  (func $note32 (param i32) (call $note (i64.extend_i32_u (local.get 0))))

  (func (export "hello")
    (call $note32 (call $say (i32.const 1) (i32.const 128) (i32.const 19))))
  (func (export "hello-error")
    (call $note32 (call $say (i32.const 2) (i32.const 128) (i32.const 5))))
  ;; 100 KiB, as often as it takes.
  (func (export "much") (local $at i32) (local $left i32)
    (memory.fill (i32.const 1024) (i32.const 120) (i32.const 102400))
    (local.set $at (i32.const 1024))
    (local.set $left (i32.const 102400))
    (loop $again
      (if (call $say (i32.const 1) (local.get $at) (local.get $left)) (then unreachable))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 64))))
      (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 64))))
      (br_if $again (local.get $left))))
  ;; Copies what it can read at once.
  (func (export "echo")
    (i32.store (i32.const 0) (i32.const 2048))
    (i32.store (i32.const 4) (i32.const 100))
    (call $note32 (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 68)))
    (drop (call $say (i32.const 1) (i32.const 2048) (i32.load (i32.const 68)))))
  (func (export "exit-7") (call $proc_exit (i32.const 7)))
  (func (export "_start") (call $proc_exit (i32.const 0)))
  ;; Arguments and environment go to standard output, with their zero bytes.
  (func (export "world")
    (drop (call $args_sizes_get (i32.const 64) (i32.const 68)))
    (drop (call $args_get (i32.const 1024) (i32.const 2048)))
    (drop (call $say (i32.const 1) (i32.const 2048) (i32.load (i32.const 68))))
    (drop (call $environ_sizes_get (i32.const 64) (i32.const 68)))
    (drop (call $environ_get (i32.const 1024) (i32.const 4096)))
    (drop (call $say (i32.const 1) (i32.const 4096) (i32.load (i32.const 68)))))
  ;; One relative clock subscription of 20 ms; 10 s for the other.
  (func $nap (param $nanoseconds i64)
    (i64.store (i32.const 512) (i64.const 7))
    (i32.store8 (i32.const 520) (i32.const 0))
    (i32.store (i32.const 528) (i32.const 1))
    (i64.store (i32.const 536) (local.get $nanoseconds))
    (i64.store (i32.const 544) (i64.const 0))
    (i32.store16 (i32.const 552) (i32.const 0))
    (call $note32
      (call $poll_oneoff (i32.const 512) (i32.const 640) (i32.const 1) (i32.const 64))))
  (func (export "nap") (call $nap (i64.const 20000000)))
  (func (export "sleep") (call $nap (i64.const 10000000000)))
  (func (export "clock")
    (call $note32 (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 64)))
    (call $note (i64.load (i32.const 64))))
  (func (export "without-wasi") (call $note (i64.const 1)))
  ;; The first preopened folder is descriptor 3.
  (func $open (param $flags i32) (param $rights i64) (result i32)
    (call $path_open (i32.const 3) (i32.const 0) (i32.const 192) (i32.const 8) (local.get $flags)
      (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 64)))
  (func (export "read-file")
    (call $note32 (call $open (i32.const 0) (i64.const 2)))
    (i32.store (i32.const 0) (i32.const 2048))
    (i32.store (i32.const 4) (i32.const 100))
    (call $note32
      (call $fd_read (i32.load (i32.const 64)) (i32.const 0) (i32.const 1) (i32.const 68)))
    (drop (call $say (i32.const 1) (i32.const 2048) (i32.load (i32.const 68)))))
  ;; Opens the same file 1,000 times.
  (func (export "open-many") (local $left i32)
    (local.set $left (i32.const 1000))
    (loop $again
      (call $note32 (call $open (i32.const 0) (i64.const 2)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))
  (func (export "open-and-close-many") (local $left i32)
    (local.set $left (i32.const 1000))
    (loop $again
      (if (call $open (i32.const 0) (i64.const 2)) (then unreachable))
      (if (call $fd_close (i32.load (i32.const 64))) (then unreachable))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))
  (func (export "write-file")
    (call $note32 (call $open (i32.const 1) (i64.const 66)))
    (call $note32 (call $say (i32.load (i32.const 64)) (i32.const 256) (i32.const 4)))))
