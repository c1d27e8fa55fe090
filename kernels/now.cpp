// A kernel without a launch, whole and by the thread that calls: a task of 100 ns cannot afford one.
#include "launch.h"

extern "C" int gb_now(const uint64_t *args, void (*kernel)(const uint64_t *, const gb_launch *)) {
	static const gb_launch alone = {{1, 1, 1}, {1, 1, 1}, 0, 0, 0, 1};
	kernel(args, &alone);
	return 0;
}
