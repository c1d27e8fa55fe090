# Fatbins: kernels/x.cu becomes lib/gpubench/x.fatbin, by nvcc called as a plain command. CMake's own CUDA language is
# not used: it fails on the toolkit from PyPI, and here a machine without nvcc just builds without kernels for GPUs.

gpubench_from_env(GPUBENCH_NVCC "the CUDA compiler; empty: no kernels for GPUs")
set(GPUBENCH_CUDA_ARCHITECTURES "" CACHE STRING
  "compute capabilities to compile for, as 80;90; empty: every generation from 75 to 120 that nvcc knows")

# One architecture a generation is enough: code for sm_80 runs on 8.6 and 8.9 too (CUDA C++ Programming Guide, binary
# compatibility). PTX of the lowest serves what lies between, PTX of the highest what comes after.
set(gpubench_generations 75 80 90 100 110 120)

function(gpubench_choose_architectures)
  execute_process(COMMAND ${GPUBENCH_NVCC} --list-gpu-arch OUTPUT_VARIABLE known RESULT_VARIABLE failed ERROR_VARIABLE why)
  if(failed)
    message(FATAL_ERROR "${GPUBENCH_NVCC} --list-gpu-arch failed: ${why}")
  endif()
  string(REGEX MATCHALL "compute_[0-9]+" known "${known}")
  set(chosen "")
  if(GPUBENCH_CUDA_ARCHITECTURES)
    set(wanted ${GPUBENCH_CUDA_ARCHITECTURES})
  else()
    set(wanted ${gpubench_generations})
  endif()
  foreach(arch IN LISTS wanted)
    if("compute_${arch}" IN_LIST known)
      list(APPEND chosen ${arch})
    elseif(GPUBENCH_CUDA_ARCHITECTURES)
      message(FATAL_ERROR "${GPUBENCH_NVCC} knows no architecture ${arch}: it knows ${known}")
    endif()
  endforeach()
  if(NOT chosen)
    message(FATAL_ERROR "${GPUBENCH_NVCC} knows none of ${wanted}: it knows ${known}")
  endif()
  set(flags "")
  foreach(arch IN LISTS chosen)
    list(APPEND flags -gencode arch=compute_${arch},code=sm_${arch})
  endforeach()
  list(GET chosen 0 lowest)
  list(GET chosen -1 highest)
  list(APPEND flags -gencode arch=compute_${lowest},code=compute_${lowest})
  if(NOT lowest STREQUAL highest)
    list(APPEND flags -gencode arch=compute_${highest},code=compute_${highest})
  endif()
  message(STATUS "Kernels: ${GPUBENCH_NVCC} for ${chosen}, PTX of ${lowest} and ${highest}")
  set(gpubench_architecture_flags ${flags} PARENT_SCOPE)
endfunction()

# gpubench_kernels(NAME…): a fatbin for every kernels/NAME.cu, and what ptxas said about it beside the build files.
function(gpubench_kernels)
  if(NOT GPUBENCH_NVCC)
    message(STATUS "Kernels: no nvcc, so none for GPUs (scripts/setup.sh gets one); the CPU's are part of the program")
    return()
  endif()
  gpubench_choose_architectures()
  set(reports ${CMAKE_BINARY_DIR}/ptxas)
  file(MAKE_DIRECTORY ${reports})
  # Make knows files alone: what the commands say is one, so that another nvcc or architecture builds anew.
  file(CONFIGURE OUTPUT ${reports}/command CONTENT "${GPUBENCH_NVCC} ${CMAKE_CXX_COMPILER} ${gpubench_architecture_flags}\n")
  set(fatbins "")
  foreach(name IN LISTS ARGN)
    set(source ${CMAKE_SOURCE_DIR}/kernels/${name}.cu)
    set(fatbin ${GPUBENCH_LIB_DIR}/${name}.fatbin)
    # -fmad=false: no multiply-add is fused, so that a GPU gives the bits that a CPU gives.
    # -allow-unsupported-compiler: nothing of the host compiler's is in a fatbin.
    add_custom_command(OUTPUT ${fatbin}
      COMMAND sh ${CMAKE_SOURCE_DIR}/cmake/nvcc.sh ${reports}/${name}.txt ${GPUBENCH_NVCC} -fatbin -std=c++17 -O3
        -fmad=false -Xptxas -v -ccbin ${CMAKE_CXX_COMPILER} -allow-unsupported-compiler ${gpubench_architecture_flags}
        -MD -MF ${reports}/${name}.d -o ${fatbin} ${source}
      DEPENDS ${source} ${reports}/command ${CMAKE_SOURCE_DIR}/cmake/nvcc.sh ${CMAKE_SOURCE_DIR}/cmake/Kernels.cmake
      DEPFILE ${reports}/${name}.d
      COMMENT "nvcc kernels/${name}.cu" VERBATIM)
    list(APPEND fatbins ${fatbin})
  endforeach()
  add_custom_target(kernels ALL DEPENDS ${fatbins})
  add_test(NAME kernels_do_not_spill COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-spills.sh ${CMAKE_BINARY_DIR})
endfunction()
