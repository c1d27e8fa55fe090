/* The table of the loaded shim, and the world. */
#include "world.h"

const gb_ucx_table *gb_ucx_now;
gb_ucx *gb_ucx_world;
