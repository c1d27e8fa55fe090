package libucx

import (
	"gpubench/gpu"
	"gpubench/runtimes/transport/transporttest"
)

func testBuffer(n int, huge bool) gpu.Memory { return transporttest.Mapped(n, huge) }
