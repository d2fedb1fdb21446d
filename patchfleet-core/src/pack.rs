//! Covering the wanted account–Region pairs exactly with few rectangles.
