;; Begins with more memory than the small pool class resets by memset.
(module (memory (export "memory") 4) (func (export "nothing")))
