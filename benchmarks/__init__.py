"""Measurements of the packages, made through their public interface."""
