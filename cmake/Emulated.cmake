# The emulated CUDA driver as the two libraries that UCX and MPI load: emulated/libcuda.so.1, of the C files that
# gpu/cuda5/emulated compiles into the program too, and emulated/libnvidia-ml.so.1 beside it. They stand in a folder of
# their own, so that nothing finds them but what is told to. Needs the C compiler alone.
include(CheckCCompilerFlag)
find_package(Threads REQUIRED)
set(emulated ${CMAKE_SOURCE_DIR}/gpu/cuda5/emulated)

# UCX patches the beginnings of functions and cannot move an endbr64 (emu.h says more). GCC knows the flag on x86 alone.
check_c_compiler_flag(-fcf-protection=none GPUBENCH_HAS_CF_PROTECTION)

# gpubench_system_library(target soname sources...): a library with the system's own name, in emulated/.
function(gpubench_system_library target soname)
  add_library(${target} SHARED ${ARGN})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${soname} SUFFIX "" NO_SONAME TRUE
    LIBRARY_OUTPUT_DIRECTORY ${GPUBENCH_LIB_DIR}/emulated
    C_VISIBILITY_PRESET hidden)
  target_compile_options(${target} PRIVATE -O2 -Wall -Wextra -Werror $<$<BOOL:${GPUBENCH_HAS_CF_PROTECTION}>:-fcf-protection=none>)
  target_link_options(${target} PRIVATE -Wl,-soname,${soname} -Wl,-z,defs)
  target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
endfunction()

file(GLOB sources CONFIGURE_DEPENDS ${emulated}/*.c)
gpubench_system_library(emulated_cuda libcuda.so.1 ${sources})
set_target_properties(emulated_cuda PROPERTIES C_STANDARD 11 C_EXTENSIONS ON)
target_compile_definitions(emulated_cuda PRIVATE EMU_SHARED)
gpubench_system_library(emulated_nvml libnvidia-ml.so.1 ${emulated}/nvml/nvml.c)
set_target_properties(emulated_nvml PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF)
message(STATUS "Emulated driver: ${GPUBENCH_LIB_DIR}/emulated/libcuda.so.1")
