/* Catches C++ exceptions of calls into Orthanc's core. */

#pragma once

#include "davfs.h"

#include <cxxabi.h>
#include <new>

/* Runs a call into the core, and returns its code.

   The core turns exceptions of its own kind into codes before it returns to a plugin, and no others
   (PluginsManager::InvokeService). One of DCMTK's or of the C++ library's would pass through C and Python, which do not catch
   it, and end Orthanc; over REST it is a response of 500. */
template <typename Call>
static int guarded(Call call)
{
  try
  {
    return static_cast<int>(call());
  }
  catch (const abi::__forced_unwind&) /* this thread is being cancelled */
  {
    throw;
  }
  catch (const std::bad_alloc&)
  {
    return OrthancPluginErrorCode_NotEnoughMemory;
  }
  catch (...)
  {
    return OrthancPluginErrorCode_InternalError;
  }
}
