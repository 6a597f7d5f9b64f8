;; Who exports what only the engine adds: a table that it changes would stay as it is.
(module $claiming
  (memory (export "mote:state memory 00000000") 1)
  (table $table 1 funcref)
  (func $nothing (export "return") (table.set $table (i32.const 0) (ref.func $nothing)))
  (elem declare func $nothing))
