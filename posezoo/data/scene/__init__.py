"""People in a room, cameras around them, and the renderer that draws what a camera sees."""
