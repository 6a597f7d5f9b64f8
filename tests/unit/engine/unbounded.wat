;; Grows until something stops it.
(module
  (memory (export "memory") 1)
  (func (export "grow") (loop $again (drop (memory.grow (i32.const 16))) (br $again))))
