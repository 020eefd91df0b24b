//! A plugin that misbehaves on request.
