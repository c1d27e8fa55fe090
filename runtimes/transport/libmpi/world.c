/* The table of the loaded shim, and the world. */
#include "world.h"

const gb_mpi_table *gb_table;
gb_mpi *gb_world;
