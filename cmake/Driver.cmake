# Libraries that stand in the place of the CUDA driver's, or before it. Both need the C compiler alone.
#   emulated/libcuda.so.1         the emulated driver, of the C files that the program has too, for UCX and MPI
#   emulated/libnvidia-ml.so.1    what UCX asks of NVML about its devices
#   libgpubench_witness.so        counts the copies that libraries ask the driver for, and forwards them
# The first two have the system's own names and a folder of their own: nothing finds them but what is told to.
include(CheckCCompilerFlag)
find_package(Threads REQUIRED)

# UCX patches the beginnings of functions and cannot move an endbr64 (emu.h says more). GCC knows the flag on x86 alone.
check_c_compiler_flag(-fcf-protection=none GPUBENCH_HAS_CF_PROTECTION)

# gpubench_driver_library(target file sources...): lib/gpubench/<file>, which exports only what says so.
function(gpubench_driver_library target file)
  get_filename_component(name ${file} NAME)
  get_filename_component(folder ${file} DIRECTORY)
  add_library(${target} SHARED ${ARGN})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} SUFFIX "" NO_SONAME TRUE LIBRARY_OUTPUT_DIRECTORY ${GPUBENCH_LIB_DIR}/${folder}
    C_STANDARD 11 C_VISIBILITY_PRESET hidden)
  target_compile_options(${target} PRIVATE -O2 -Wall -Wextra -Werror
    $<$<BOOL:${GPUBENCH_HAS_CF_PROTECTION}>:-fcf-protection=none>)
  # Bsymbolic: their own calls stay inside, whatever else defines the driver's names.
  target_link_options(${target} PRIVATE -Wl,-soname,${name} -Wl,-z,defs -Wl,-Bsymbolic)
  target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
endfunction()

file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/gpu/cuda5/emulated/*.c)
gpubench_driver_library(emulated_cuda emulated/libcuda.so.1 ${sources})
target_compile_definitions(emulated_cuda PRIVATE EMU_SHARED)
gpubench_driver_library(emulated_nvml emulated/libnvidia-ml.so.1 ${CMAKE_SOURCE_DIR}/gpu/cuda5/emulated/nvml/nvml.c)
gpubench_driver_library(witness libgpubench_witness.so ${CMAKE_SOURCE_DIR}/gpu/witness/lib/witness.c)
