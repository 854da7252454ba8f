/* Calls into the core that come back with an error, whatever it throws. */

#pragma once

#include "davfs.h"

#include <cxxabi.h>
#include <new>

/* Runs a call into the core, and returns its code.

   The core turns exceptions of its own kind into codes before it returns to a plugin, and no others
   (PluginsManager::InvokeService). One of DCMTK's or of the C++ library's would go on through C and through Python, where
   nobody catches it, and end Orthanc; over REST it is an answer of 500. */
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
