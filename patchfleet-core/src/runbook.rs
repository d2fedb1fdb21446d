//! The Automation document that runs AWS-RunPatchBaseline.
