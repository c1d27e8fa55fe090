# Shims: one small C library for every MPI found, compiled with that MPI's own compiler, and one for UCX. The transport's
# folder says how (runtimes/transport/lib…/shim/CMakeLists.txt); here it is said for which. libmpi's file is given:
#   GPUBENCH_MPI_KINDS         openmpi and mpich, as far as there are compilers
#   GPUBENCH_MPICC_<KIND>      the compiler
#   GPUBENCH_MPI_SHIM_<KIND>   the library to make: libgpubench_mpi.so for the first, libgpubench_mpi_mpich.so for a
#                              second (the program takes another with GPUBENCH_MPI_SHIM)
# libucx's: GPUBENCH_UCX, the folder that has UCX's include and lib.

gpubench_from_env(GPUBENCH_MPICC_OPENMPI "Open MPI's mpicc; empty: no shim for it")
gpubench_from_env(GPUBENCH_MPICC_MPICH "mpicc of MPICH or a relative; empty: no shim for it")

set(GPUBENCH_MPI_KINDS "")
foreach(kind OPENMPI MPICH)
  if(GPUBENCH_MPICC_${kind})
    list(APPEND GPUBENCH_MPI_KINDS ${kind})
  endif()
endforeach()
set(GPUBENCH_MPI_SHIM_OPENMPI ${GPUBENCH_LIB_DIR}/libgpubench_mpi.so)
set(GPUBENCH_MPI_SHIM_MPICH ${GPUBENCH_LIB_DIR}/libgpubench_mpi_mpich.so)

set(shim ${CMAKE_SOURCE_DIR}/runtimes/transport/libmpi/shim)
if(NOT GPUBENCH_MPI_KINDS)
  message(STATUS "MPI: no mpicc, so no shim (scripts/setup.sh gets one)")
elseif(EXISTS ${shim}/CMakeLists.txt)
  add_subdirectory(${shim})
endif()

gpubench_from_env(GPUBENCH_UCX "folder with UCX's include and lib; empty: no shim for it")
if(GPUBENCH_UCX)
  add_subdirectory(${CMAKE_SOURCE_DIR}/runtimes/transport/libucx/shim)
else()
  message(STATUS "UCX: none, so no shim (scripts/setup.sh gets one)")
endif()
