;; What h2spec asks. It sends its frames one by one and expects them all to be seen while the stream is open, so the
;; answer comes after the whole request, and a little later.
(module
  (import "mote" "respond" (func $respond (param i32 i32 i32 i32 i32) (result i32)))
  (import "mote" "request_read" (func $read (param i32 i32) (result i32)))
  (import "mote" "sleep" (func $sleep (param i64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "hello, h2spec\0a")
  (func (export "hello")
    (block $end
      (loop $more
        (br_if $end (i32.lt_s (call $read (i32.const 1000) (i32.const 16000)) (i32.const 1)))
        (br $more)))
    (drop (call $sleep (i64.const 50000000)))
    (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 14)))))
